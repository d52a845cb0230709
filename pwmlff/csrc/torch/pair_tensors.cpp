#include <algorithm>

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

CotangentTensors::CotangentTensors(const PairTensors &pairs, const at::Tensor &part_start_in,
                                   const at::Tensor &by_energies_in, const at::Tensor &by_gradients_in)
    : part_start(part_start_in.contiguous()),
      by_energies(by_energies_in.contiguous()),
      by_gradients(by_gradients_in.contiguous()) {
  TORCH_CHECK(
      part_start.dim() == 1 && part_start.size(0) > 0 && part_start.scalar_type() == at::kLong && part_start.is_cpu(),
      "weight_gradients expects the starts of parts [F + 1] of int64 on the processor, got ", part_start.sizes());
  const std::int64_t *bounds = part_start.const_data_ptr<std::int64_t>(), n_parts = part_start.size(0) - 1;
  TORCH_CHECK(bounds[0] == 0 && bounds[n_parts] == pairs.n_atoms() && std::is_sorted(bounds, bounds + n_parts + 1),
              "weight_gradients: the parts must run from 0 to ", pairs.n_atoms());
  TORCH_CHECK(by_energies.dim() == 2 && by_energies.size(1) == pairs.n_atoms() && by_gradients.dim() == 3 &&
                  by_gradients.size(0) <= by_energies.size(0) && by_gradients.size(1) == pairs.n_pairs() &&
                  by_gradients.size(2) == 3,
              "weight_gradients expects factors of energies [K, N] and of gradients [at most K, E, 3], got ",
              by_energies.sizes(), " and ", by_gradients.sizes());
  for (const at::Tensor &tensor : {by_energies, by_gradients}) {
    TORCH_CHECK(tensor.scalar_type() == at::kDouble, "weight_gradients expects factors of float64, got ",
                tensor.scalar_type());
    TORCH_CHECK(tensor.device() == pairs.vectors.device(), "weight_gradients: pair vectors are on ",
                pairs.vectors.device(), ", another argument on ", tensor.device());
  }
}

}  // namespace pwmlff
