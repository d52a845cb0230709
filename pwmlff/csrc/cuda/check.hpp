// Errors of CUDA as errors of torch.
#pragma once

#include <ATen/ATen.h>
#include <cuda_runtime_api.h>

namespace pwmlff::cuda {

inline void check(cudaError_t status) {
  TORCH_CHECK(status == cudaSuccess, "evaluate on CUDA: ", cudaGetErrorString(status));
}

}  // namespace pwmlff::cuda
