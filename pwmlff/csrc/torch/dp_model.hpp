// The model that torch.ops.pwmlff.dp_evaluate takes, as tensors; see DpModel in ops/reference.py.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "dp_description.hpp"

namespace pwmlff {

struct DpTensors : DpNumbers {
  at::Tensor embedding, grids;  // nets [K, P] and [0, 3], or coefficients [intervals, terms, M] and [K, 3]
  at::Tensor fitting;           // [T, Q]
  at::Tensor mean, scale;       // [T], [T, 4] float64

  std::int64_t n_types() const { return mean.size(0); }
  bool has_tables() const { return grids.size(0) > 0; }
  std::int64_t n_nets() const { return has_tables() ? grids.size(0) : embedding.size(0); }

  // For the kernels; points into the tensors.
  DpDescription description() const;

  // Shapes and types; what the grids hold is checked by who can read them.
  void check() const;
};

// Shapes and types of what a model is given: pairs, types and the counts it adds to.
void check_dp_pairs(const at::Tensor &vectors, const at::Tensor &start, const at::Tensor &pair_types,
                    const at::Tensor &atom_types, const at::Tensor &overflows);

}  // namespace pwmlff
