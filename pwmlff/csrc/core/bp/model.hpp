// What a Behler-Parrinello net is, for its kernels: pair vectors in, atomic energies and derivatives by pair vector
// out.
//
//   G = symmetry functions of the neighbours of an atom, by its type      description.hpp
//   E = net((G - shift) factor)                                           weights by its type
//
// (Behler and Parrinello, PRL 98, 146401, 2007; Behler, J. Chem. Phys. 134, 074106, 2011.) Atoms are worked off in
// chunks of one type. Energies are float64, the rest is of type Real; distances and sums over neighbours are float64 or
// of type Real, terms of these sums always of type Real.
//
// Letters: N atoms, E pairs sorted by atom (CSR `start`), T types, F functions of an atom.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bp/moment_plan.hpp"
#include "bp/plan.hpp"
#include "nets.hpp"

namespace pwmlff::bp {

// Of one central type.
template <typename Real>
struct CentralModel {
  std::vector<RadialPlan> radial;  // by neighbour type
  MomentPlan moments;
  TripletPlan triplets;
  double radial_reach, angular_reach;       // Å
  std::vector<Real> shift, factor;          // [F]
  std::vector<Real> parameters;             // of the net, as NetView has them
  std::vector<std::int64_t> widths;         // of its layers
  std::vector<ActivationKind> activations;  // likewise

  std::int64_t n_inputs() const { return static_cast<std::int64_t>(shift.size()); }
};

template <typename Real>
struct Model {
  CutoffFunction cutoff;
  std::vector<CentralModel<Real>> central;
  bool has_double_geometry;
  std::string inputs_from;  // all that the inputs of the nets are made from, byte by byte
};

}  // namespace pwmlff::bp
