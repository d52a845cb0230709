// What the operations need of the CUDA half of torch, and their kernels on CUDA tensors.
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "cuda/dp/embedding.hpp"
#include "cuda/stream.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;

Tensor contract_cuda(const Tensor &s, const Tensor &rows, const Tensor &start, const Tensor &parameters,
                     at::IntArrayRef widths, std::int64_t activation) {
  const c10::cuda::CUDAGuard device(s.device());
  return embedding_contraction(s, rows, start, parameters, widths, activation);
}

}  // namespace

cudaStream_t current_stream() {
  return c10::cuda::getCurrentCUDAStream();
}

TORCH_LIBRARY_IMPL(pwmlff, CUDA, library) {
  library.impl("embedding_contraction", contract_cuda);
}

// Its parts are recorded for derivatives one by one.
TORCH_LIBRARY_IMPL(pwmlff, AutogradCUDA, library) {
  library.impl("embedding_contraction", contract_cuda);
}

}  // namespace pwmlff::cuda
