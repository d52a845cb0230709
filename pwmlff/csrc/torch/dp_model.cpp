#include "dp_model.hpp"

#include "nets.hpp"

namespace pwmlff {

void DpTensors::check() const {
  for (const at::Tensor &tensor : {grids, mean, scale})
    TORCH_CHECK(tensor.scalar_type() == at::kDouble && tensor.is_contiguous(),
                "dp_evaluate expects grids, mean and scale of float64, contiguous");
  TORCH_CHECK(
      grids.dim() == 2 && grids.size(1) == 3 && scale.dim() == 2 && scale.size(0) == n_types() && scale.size(1) == 4,
      "dp_evaluate expects grids [K, 3] and scale [T, 4], got ", grids.sizes(), " and ", scale.sizes());
  TORCH_CHECK(embedding.scalar_type() == fitting.scalar_type() && embedding.is_contiguous() && fitting.is_contiguous(),
              "dp_evaluate: nets must have one dtype and be contiguous");
  TORCH_CHECK(n_nets() == n_types() || n_nets() == n_types() * n_types(), "dp_evaluate: ", n_nets(),
              " embedding nets do not fit ", n_types(), " types");
  if (has_tables()) {
    TORCH_CHECK(embedding.dim() == 3 && (embedding.size(1) == 4 || embedding.size(1) == 6) &&
                    embedding.size(2) == n_features() && dx > 0,
                "dp_evaluate expects tables [intervals, 4 or 6, ", n_features(), "] and dx > 0, got ",
                embedding.sizes(), " and ", dx);
  } else {
    TORCH_CHECK(embedding.dim() == 2 && embedding.size(1) == net_parameter_count(1, embedding_widths),
                "dp_evaluate expects embedding [nets, ", net_parameter_count(1, embedding_widths), "], got ",
                embedding.sizes());
  }
  const std::int64_t expected = net_parameter_count(n_features() * n_axis, fitting_widths) + fitting_widths.back() + 1;
  TORCH_CHECK(fitting.dim() == 2 && fitting.size(0) == n_types() && fitting.size(1) == expected,
              "dp_evaluate expects fitting [", n_types(), ", ", expected, "], got ", fitting.sizes());
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
