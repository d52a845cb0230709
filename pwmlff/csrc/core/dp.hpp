// A whole Deep Potential for inference: pair vectors in, atomic energies and their derivatives by pair vector out.
//
//   row_j = s (1, x/r, y/r, z/r) / scale,  s = switch(r) / r        environment matrix
//   A     = sum_j row_j (x) G(s_j) / n                               [4, M]
//   D     = A^T A_<                                                  [M, M2]
//   E_i   = fitting(D)
//
// G is a net, or a table that stands for it. Atoms are worked off in chunks of one type. What a chunk needs stays in
// the cache: neither the environment rows nor G nor D of all atoms exist at once. Energies are float64, nets are of
// type Real; geometry and sums over neighbours are float64 or of type Real.
//
// Letters: N atoms, E pairs sorted by atom (CSR `start`), T types, M features, M2 axis features.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "nets.hpp"
#include "table.hpp"

namespace pwmlff {

template <typename Real>
struct DpModel {
  std::int64_t n_types;
  double inner, outer;                   // of the switch, Å
  const double *mean;                    // of s, [T]
  const double *scale;                   // [T, 4]
  double n_neighbors;                    // divides the sums
  std::int64_t n_axis;                   // M2
  bool has_net_per_pair;                 // nets or tables by (central, neighbour) type, otherwise by neighbour type
  std::vector<NetView<Real>> embedding;  // one of the two is empty
  std::vector<TableView<Real>> tables;
  std::vector<NetView<Real>> fitting;  // by central type; w and c follow the parameters as in fitting.hpp
  bool has_double_geometry;
};

// Fewer pairs are not worth a thread.
constexpr std::int64_t kDpPairsPerTask = 256;

struct DpPairs {
  const double *vectors;           // [E, 3] Å
  const std::int64_t *start;       // [N + 1]
  const std::int64_t *pair_types;  // [E]
  const std::int64_t *atom_types;  // [N]
};

// A model with its weights laid out for the kernels of this processor; const and shared by threads.
class DpEvaluator {
 public:
  virtual ~DpEvaluator() = default;

  // Fills energies [N] (eV) and gradients [E, 3] (eV/Å) for the atoms first..last.
  virtual TableOverflows evaluate(const DpPairs &pairs, double *energies, double *gradients, std::int64_t first,
                                  std::int64_t last) const = 0;
};

// The evaluator has copies of all it needs of the model.
template <typename Real>
std::unique_ptr<DpEvaluator> make_dp_evaluator(const DpModel<Real> &model);

}  // namespace pwmlff
