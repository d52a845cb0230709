#include "torch/device_evaluator.hpp"

namespace pwmlff {

PairTensors::PairTensors(const at::Tensor &vectors_in, const at::Tensor &start_in, const at::Tensor &pair_types_in,
                         const at::Tensor &atom_types_in)
    : vectors(vectors_in.contiguous()),
      start(start_in.contiguous()),
      pair_types(pair_types_in.contiguous()),
      atom_types(atom_types_in.contiguous()) {
  TORCH_CHECK(vectors.dim() == 2 && vectors.size(1) == 3 && vectors.scalar_type() == at::kDouble,
              "evaluate expects pair vectors [E, 3] of float64, got ", vectors.sizes(), " of ", vectors.scalar_type());
  TORCH_CHECK(start.dim() == 1 && atom_types.dim() == 1 && pair_types.dim() == 1 &&
                  start.size(0) == atom_types.size(0) + 1 && pair_types.size(0) == vectors.size(0),
              "evaluate: start [N + 1], atom types [N] and pair types [E] do not fit each other, got ", start.sizes(),
              ", ", atom_types.sizes(), " and ", pair_types.sizes());
  for (const at::Tensor &tensor : {start, pair_types, atom_types}) {
    TORCH_CHECK(tensor.scalar_type() == at::kLong, "evaluate expects start and types of int64, got ",
                tensor.scalar_type());
    TORCH_CHECK(tensor.device() == vectors.device(), "evaluate: pair vectors are on ", vectors.device(),
                ", another argument on ", tensor.device());
  }
}

}  // namespace pwmlff
