// From a stored model to one that can be evaluated. The table of families is in families.cpp.
//
// Arrays that every family may have, added to what the family makes of its own:
//
//   energy_shift        float64 [T]        eV, added to the energy of each atom of a type
//   repulsion.range     float64 [T, T, 2]  Å, where the repulsion of zbl.hpp begins to fall for a pair of types, and
//                                          where it has ended, 0 and 0 for none; [2] in models of older versions
//   repulsion.screening float64 [T, T, 8]  amplitude and decay of each of its four terms; absent in such models, which
//                                          have the universal ones
//   repulsion.strength  float64 []         of two unit charges, eV Å
//   repulsion.charges   float64 [T]        nuclear charges
//   shortest            float64 [T, T]     Å, shortest distance of each pair of elements in the training data, the
//                                          cutoff where they did not meet, 0 where it is unknown; overflows are
//                                          counted by it
#pragma once

#include <memory>
#include <string>

#include "evaluator.hpp"
#include "extent.hpp"
#include "stored_model.hpp"

namespace pwmlff {

// Whether this library has kernels for a family.
bool has_family(const std::string &name);

// Of all families with kernels, for messages.
std::string family_names();

// What a model has to have in common with who uses it. Throws as make_evaluator.
Extent extent(const StoredModel &model);

// The evaluator has copies of all it needs. Throws std::runtime_error with one line where the family is unknown or an
// array is missing or does not fit.
std::unique_ptr<const Evaluator> make_evaluator(const StoredModel &model);

}  // namespace pwmlff
