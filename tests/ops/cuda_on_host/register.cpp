// torch.ops.pwmlff_cuda_on_host: the operations on CUDA, run on CPU tensors by cuda_runtime.h beside this.
#include <torch/library.h>

#include "cuda/dp/embedding.hpp"
#include "cuda/families.hpp"
#include "cuda/nep/warp.hpp"
#include "cuda/stream.hpp"
#include "torch/stored_tensors.hpp"

cudaStream_t pwmlff::cuda::current_stream() {
  return nullptr;
}

thread_local pwmlff::cuda::Few<double>
    pwmlff::cuda::shared_memory[cuda_on_host::kDynamicSharedMemory / sizeof(pwmlff::cuda::Few<double>)];

namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> evaluate(std::string family, const pwmlff::NamedTensors &arrays, Tensor overflows,
                                    std::int64_t workspace, const Tensor &vectors, const Tensor &start,
                                    const Tensor &pair_types, const Tensor &atom_types) {
  const auto evaluator = pwmlff::cuda::make_evaluator(pwmlff::stored_model(family, arrays), at::kCPU, workspace);
  return evaluator->evaluate({vectors, start, pair_types, atom_types}, overflows);
}

Tensor weight_gradients(std::string family, const pwmlff::NamedTensors &arrays, std::int64_t workspace,
                        const Tensor &vectors, const Tensor &start, const Tensor &pair_types, const Tensor &atom_types,
                        const Tensor &part_start, const Tensor &by_energies, const Tensor &by_gradients) {
  const auto evaluator = pwmlff::cuda::make_evaluator(pwmlff::stored_model(family, arrays), at::kCPU, workspace);
  const pwmlff::PairTensors pairs(vectors, start, pair_types, atom_types);
  const auto [energies, gradients, kept] = evaluator->evaluate_keeping(pairs, at::zeros({2}, at::kLong));
  return evaluator->differentiate(pairs, kept, {pairs, part_start, by_energies, by_gradients});
}

}  // namespace

TORCH_LIBRARY(pwmlff_cuda_on_host, library) {
  library.def(
      "evaluate(str family, Dict(str, Tensor) arrays, Tensor(a!) overflows, int workspace, Tensor vectors, "
      "Tensor start, Tensor pair_types, Tensor atom_types) -> (Tensor, Tensor)",
      evaluate);
  library.def(
      "weight_gradients(str family, Dict(str, Tensor) arrays, int workspace, Tensor vectors, Tensor start, "
      "Tensor pair_types, Tensor atom_types, Tensor part_start, Tensor by_energies, Tensor by_gradients) -> Tensor",
      weight_gradients);
  library.def(
      "embedding_contraction(Tensor s, Tensor rows, Tensor start, Tensor parameters, int[] widths, int activation) "
      "-> Tensor",
      pwmlff::cuda::embedding_contraction);
}
