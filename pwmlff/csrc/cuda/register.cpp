// The operations on CUDA tensors.
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "dp_evaluate.hpp"
#include "embedding_on_device.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> evaluate_cuda(const Tensor &vectors, const Tensor &start, const Tensor &pair_types,
                                         const Tensor &atom_types, const Tensor &embedding, const Tensor &grids,
                                         const Tensor &fitting, const Tensor &mean, const Tensor &scale,
                                         Tensor overflows, at::IntArrayRef embedding_widths,
                                         at::IntArrayRef fitting_widths, std::int64_t embedding_activation,
                                         std::int64_t fitting_activation, double inner, double outer,
                                         double n_neighbors, double dx, std::int64_t n_axis, bool has_double_geometry) {
  const c10::cuda::CUDAGuard device(vectors.device());
  const DpNumbers numbers(embedding_widths.vec(), fitting_widths.vec(), embedding_activation, fitting_activation, inner,
                          outer, n_neighbors, dx, n_axis, has_double_geometry);
  return dp_evaluate({{numbers, embedding, grids, fitting, mean, scale},
                      vectors.contiguous(),
                      start.contiguous(),
                      pair_types.contiguous(),
                      atom_types.contiguous(),
                      overflows},
                     current_stream());
}

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
  library.impl("dp_evaluate", evaluate_cuda);
  library.impl("embedding_contraction", contract_cuda);
}

// Its parts are recorded for derivatives one by one.
TORCH_LIBRARY_IMPL(pwmlff, AutogradCUDA, library) {
  library.impl("embedding_contraction", contract_cuda);
}

}  // namespace pwmlff::cuda
