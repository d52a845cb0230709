// What the arguments of embedding_contraction have to be, on every device.
#pragma once

#include "torch/net_options.hpp"

namespace pwmlff::dp {

// s [E], rows [E, 4], parameters [P], start [N + 1]; whether start runs from 0 to E is left to the caller, since it
// is read from the device.
inline void check_embedding_arguments(const at::Tensor &s, const at::Tensor &rows, const at::Tensor &parameters,
                                      const at::Tensor &start, const NetOptions &net) {
  net.check("embedding_contraction");
  TORCH_CHECK(s.dim() == 1 && rows.dim() == 2 && rows.size(1) == 4 && rows.size(0) == s.size(0),
              "embedding_contraction expects s [E] and rows [E, 4], got ", s.sizes(), " and ", rows.sizes());
  TORCH_CHECK(start.dim() == 1 && start.size(0) >= 1 && start.scalar_type() == at::kLong,
              "embedding_contraction expects start [N + 1] of int64, got ", start.sizes());
  const std::int64_t expected = net_parameter_count(1, net.widths);
  TORCH_CHECK(parameters.dim() == 1 && parameters.size(0) == expected, "embedding_contraction expects ", expected,
              " parameters, got ", parameters.sizes());
  TORCH_CHECK(s.scalar_type() == rows.scalar_type() && s.scalar_type() == parameters.scalar_type(),
              "embedding_contraction: s, rows and parameters must have one dtype");
}

}  // namespace pwmlff::dp
