// A whole Deep Potential for inference on a GPU, see dp.hpp and ops/reference.py.
#pragma once

#include <cuda_runtime_api.h>

#include <tuple>

#include "dp_arguments.hpp"

namespace pwmlff::cuda {

constexpr std::int64_t kWorkspace = std::int64_t{1} << 28;  // bytes for the intermediates of a chunk

// Energies [N] and gradients [E, 3]; work is queued on the stream, which must be the one ATen uses.
std::tuple<at::Tensor, at::Tensor> dp_evaluate(const DpArguments &arguments, cudaStream_t stream,
                                               std::int64_t workspace = kWorkspace);

}  // namespace pwmlff::cuda
