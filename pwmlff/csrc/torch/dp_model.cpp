#include "dp_model.hpp"

namespace pwmlff {

namespace {

ArrayView view(const at::Tensor &tensor) {
  return {tensor.const_data_ptr(), tensor.sizes().vec()};
}

}  // namespace

DpDescription DpTensors::description() const {
  return {*this,
          view(embedding),
          view(grids),
          view(fitting),
          view(mean),
          view(scale),
          fitting.scalar_type() == at::kDouble};
}

void DpTensors::check() const {
  for (const at::Tensor &tensor : {grids, mean, scale})
    TORCH_CHECK(tensor.scalar_type() == at::kDouble && tensor.is_contiguous(),
                "dp_evaluate expects grids, mean and scale of float64, contiguous");
  for (const at::Tensor &tensor : {embedding, fitting})
    TORCH_CHECK(tensor.scalar_type() == fitting.scalar_type() && tensor.is_contiguous() &&
                    (tensor.scalar_type() == at::kDouble || tensor.scalar_type() == at::kFloat),
                "dp_evaluate expects nets of one dtype, float64 or float32, contiguous");
  description().check_shapes();
}

void check_dp_pairs(const at::Tensor &vectors, const at::Tensor &start, const at::Tensor &pair_types,
                    const at::Tensor &atom_types, const at::Tensor &overflows) {
  TORCH_CHECK(vectors.dim() == 2 && vectors.size(1) == 3 && vectors.scalar_type() == at::kDouble,
              "dp_evaluate expects pair vectors [E, 3] of float64, got ", vectors.sizes());
  TORCH_CHECK(start.dim() == 1 && start.size(0) == atom_types.size(0) + 1 && pair_types.size(0) == vectors.size(0),
              "dp_evaluate: start [N + 1], atom types [N] and pair types [E] do not fit each other");
  for (const at::Tensor &tensor : {start, pair_types, atom_types, overflows})
    TORCH_CHECK(tensor.scalar_type() == at::kLong, "dp_evaluate expects start, types and overflows of int64");
  TORCH_CHECK(overflows.dim() == 1 && overflows.size(0) == 2 && overflows.is_contiguous(),
              "dp_evaluate expects overflows [2], got ", overflows.sizes());
}

}  // namespace pwmlff
