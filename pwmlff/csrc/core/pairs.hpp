// What every model is given: pair vectors, sorted by central atom (CSR), and types.
//
// Letters: N atoms, E directed pairs i -> j.
#pragma once

#include <cstdint>

namespace pwmlff {

struct Pairs {
  const double *vectors;           // [E, 3] Å, r_j - r_i
  const std::int64_t *start;       // [N + 1], pairs of atom i are start[i]..start[i + 1]
  const std::int64_t *pair_types;  // [E], type of j
  const std::int64_t *atom_types;  // [N], type of i
};

// Fewer pairs are not worth a thread.
constexpr std::int64_t kPairsPerTask = 256;

}  // namespace pwmlff
