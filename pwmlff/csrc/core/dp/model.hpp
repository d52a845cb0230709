// What a Deep Potential is, for its kernels: pair vectors in, atomic energies and derivatives by pair vector out.
//
//   row_j = s (1, x/r, y/r, z/r) / scale,  s = switch(r) / r        environment matrix
//   A     = sum_j row_j (x) G(s_j) / n                               [4, M]
//   D     = A^T A_<                                                  [M, M2]
//   E_i   = fitting(D)
//
// G is a net, evaluated as series where pairs are many (net_series.hpp), or a table that stands for it. Atoms are
// worked off in chunks of one type. What a chunk needs stays in the cache: neither the environment rows nor G nor D of
// all atoms exist at once. Energies are float64, nets are of type Real; geometry and sums over neighbours are float64
// or of type Real.
//
// Letters: N atoms, E pairs sorted by atom (CSR `start`), T types, M features, M2 axis features.
#pragma once

#include <cstdint>
#include <vector>

#include "dp/table.hpp"
#include "nets.hpp"

namespace pwmlff::dp {

// Points into the arrays it was read from.
template <typename Real>
struct Model {
  std::int64_t n_types;
  double inner, outer;                   // of the switch, Å
  const double *mean;                    // of s, [T]
  const double *scale;                   // [T, 4]
  double n_neighbors;                    // divides the sums
  std::int64_t n_axis;                   // M2
  bool has_net_per_pair;                 // nets or tables by (central, neighbour) type, otherwise by neighbour type
  std::vector<NetView<Real>> embedding;  // one of the two is empty
  std::vector<TableView<Real>> tables;
  std::vector<NetView<Real>>
      fitting;  // by central type; w [widths.back()] and c [1] of E = w . y + c follow the parameters
  bool has_double_geometry;
};

}  // namespace pwmlff::dp
