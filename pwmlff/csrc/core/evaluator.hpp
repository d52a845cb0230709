// A model ready to be evaluated: atomic energies and their derivatives by pair vector, of any family.
#pragma once

#include <cstdint>

#include "pairs.hpp"

namespace pwmlff {

// Pairs that the model was not made for, each (i, j) counted once per evaluation. A model that knows the shortest
// distances of its training data (families.hpp) counts by these, other models by the range of their tables.
struct Overflows {
  std::int64_t nearer = 0;  // than any pair of these elements in the data that the model was made for
  std::int64_t beyond = 0;  // those of them that lie beyond the tables

  Overflows &operator+=(const Overflows &other) {
    nearer += other.nearer;
    beyond += other.beyond;
    return *this;
  }
};

// Has its weights laid out for the kernels of this processor; const and shared by threads.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  virtual std::int64_t n_types() const = 0;

  // Fills energies [N] (eV) and gradients [E, 3] (eV/Å) for the atoms first..last.
  virtual Overflows evaluate(const Pairs &pairs, double *energies, double *gradients, std::int64_t first,
                             std::int64_t last) const = 0;
};

}  // namespace pwmlff
