// torch.ops.pwmlff_cuda_on_host: the operations on CUDA, run on CPU tensors by cuda_runtime.h beside this.
#include <torch/library.h>

#include "cuda/dp/embedding.hpp"
#include "cuda/families.hpp"
#include "cuda/stream.hpp"
#include "torch/stored_tensors.hpp"

cudaStream_t pwmlff::cuda::current_stream() {
  return nullptr;
}

namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> evaluate(std::string family, const pwmlff::NamedTensors &arrays, Tensor overflows,
                                    std::int64_t workspace, const Tensor &vectors, const Tensor &start,
                                    const Tensor &pair_types, const Tensor &atom_types) {
  const auto evaluator = pwmlff::cuda::make_evaluator(pwmlff::stored_model(family, arrays), at::kCPU, workspace);
  return evaluator->evaluate({vectors, start, pair_types, atom_types}, overflows);
}

}  // namespace

TORCH_LIBRARY(pwmlff_cuda_on_host, library) {
  library.def(
      "evaluate(str family, Dict(str, Tensor) arrays, Tensor(a!) overflows, int workspace, Tensor vectors, "
      "Tensor start, Tensor pair_types, Tensor atom_types) -> (Tensor, Tensor)",
      evaluate);
  library.def(
      "embedding_contraction(Tensor s, Tensor rows, Tensor start, Tensor parameters, int[] widths, int activation) "
      "-> Tensor",
      pwmlff::cuda::embedding_contraction);
}
