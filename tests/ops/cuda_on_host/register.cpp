// torch.ops.pwmlff_cuda_on_host: the operations on CUDA, run on CPU tensors by cuda_runtime.h beside this.
#include <torch/library.h>

#include "dp_evaluate.hpp"
#include "embedding_on_device.hpp"

cudaStream_t pwmlff::cuda::current_stream() {
  return nullptr;
}

namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> evaluate(const Tensor &vectors, const Tensor &start, const Tensor &pair_types,
                                    const Tensor &atom_types, const Tensor &embedding, const Tensor &grids,
                                    const Tensor &fitting, const Tensor &mean, const Tensor &scale, Tensor overflows,
                                    at::IntArrayRef embedding_widths, at::IntArrayRef fitting_widths,
                                    std::int64_t embedding_activation, std::int64_t fitting_activation, double inner,
                                    double outer, double n_neighbors, double dx, std::int64_t n_axis,
                                    bool has_double_geometry, std::int64_t workspace) {
  const pwmlff::DpNumbers numbers(embedding_widths.vec(), fitting_widths.vec(), embedding_activation,
                                  fitting_activation, inner, outer, n_neighbors, dx, n_axis, has_double_geometry);
  return pwmlff::cuda::dp_evaluate(
      {{numbers, embedding, grids, fitting, mean, scale}, vectors, start, pair_types, atom_types, overflows}, nullptr,
      workspace);
}

}  // namespace

TORCH_LIBRARY(pwmlff_cuda_on_host, library) {
  library.def(
      "dp_evaluate(Tensor vectors, Tensor start, Tensor pair_types, Tensor atom_types, Tensor embedding, Tensor grids, "
      "Tensor fitting, Tensor mean, Tensor scale, Tensor(a!) overflows, int[] embedding_widths, int[] fitting_widths, "
      "int embedding_activation, int fitting_activation, float inner, float outer, float n_neighbors, float dx, "
      "int n_axis, bool has_double_geometry, int workspace) -> (Tensor, Tensor)",
      evaluate);
  library.def(
      "embedding_contraction(Tensor s, Tensor rows, Tensor start, Tensor parameters, int[] widths, int activation) "
      "-> Tensor",
      pwmlff::cuda::embedding_contraction);
}
