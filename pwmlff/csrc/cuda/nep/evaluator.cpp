#include "cuda/nep/evaluator.hpp"

#include <algorithm>

#include "cuda/check.hpp"
#include "cuda/nep/device.hpp"
#include "cuda/nep/weights.hpp"
#include "cuda/stream.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;

constexpr std::int64_t kGradientWarps = 4096;  // keep a large GPU busy

Pairs pairs_of(const PairTensors &tensors) {
  return {tensors.vectors.const_data_ptr<double>(), tensors.start.const_data_ptr<std::int64_t>(),
          tensors.pair_types.const_data_ptr<std::int64_t>(), tensors.atom_types.const_data_ptr<std::int64_t>()};
}

class Nep final : public DeviceEvaluator {
 public:
  Nep(const StoredModel &stored, at::Device device, std::int64_t workspace)
      : weights_(nep::Description(stored), device), workspace_(workspace) {}

  std::tuple<Tensor, Tensor> evaluate(const PairTensors &pairs, const Tensor &) const override {
    const Tensor energies = at::empty({pairs.n_atoms()}, pairs.vectors.options());
    const Tensor gradients = at::empty_like(pairs.vectors);
    AT_DISPATCH_FLOATING_TYPES(weights_.dtype(), "evaluate", [&] {
      check(evaluate_nep(weights_.view<scalar_t>(), weights_.has_double_geometry(), pairs_of(pairs), pairs.n_atoms(),
                         energies.data_ptr<double>(), gradients.data_ptr<double>(), current_stream()));
    });
    return {energies, gradients};
  }

  // Distances and radial functions are cheap to find again: nothing is kept.
  std::tuple<Tensor, Tensor, Tensor> evaluate_keeping(const PairTensors &pairs,
                                                      const Tensor &overflows) const override {
    const auto [energies, gradients] = evaluate(pairs, overflows);
    return {energies, gradients, at::empty({pairs.n_pairs(), 0}, pairs.vectors.options().dtype(at::kByte))};
  }

  // In float64 for all precisions.
  Tensor differentiate(const PairTensors &pairs, const Tensor &, const CotangentTensors &cotangents) const override {
    const std::int64_t *start = cotangents.part_start.const_data_ptr<std::int64_t>();
    const std::int64_t n_parts = cotangents.part_start.size(0) - 1, n_sums = cotangents.by_energies.size(0);
    const std::int64_t n_rows = n_parts * n_sums, n_weights = weights_.n_weights();
    std::int64_t largest = 0;
    for (std::int64_t f = 0; f < n_parts; ++f) largest = std::max(largest, start[f + 1] - start[f]);
    // as many as keep the GPU busy, have atoms, and fit the workspace with their rows
    std::int64_t n_slices = std::max<std::int64_t>(1, kGradientWarps / std::max<std::int64_t>(1, n_rows));
    n_slices = std::min(n_slices, largest);
    n_slices =
        std::min<std::int64_t>(n_slices, workspace_ / (sizeof(double) * n_weights * std::max<std::int64_t>(1, n_rows)));
    n_slices = std::max<std::int64_t>(n_slices, 1);

    const Tensor rows = at::zeros({n_parts, n_slices, n_sums, n_weights}, pairs.vectors.options());
    const Tensor part_start = cotangents.part_start.to(pairs.vectors.device());
    const NepWeights weights = weights_.in_float64();
    const NepCotangents sums{part_start.const_data_ptr<std::int64_t>(),
                             cotangents.by_energies.const_data_ptr<double>(),
                             cotangents.by_gradients.const_data_ptr<double>(),
                             n_parts,
                             n_slices,
                             n_sums,
                             cotangents.by_gradients.size(0),
                             pairs.n_atoms(),
                             pairs.n_pairs()};
    check(differentiate_nep(weights.view<double>(), weights.scaler().const_data_ptr<double>(), pairs_of(pairs), sums,
                            rows.data_ptr<double>(), current_stream()));
    return n_slices == 1 ? rows.squeeze(1) : rows.sum(1);
  }

 private:
  NepWeights weights_;
  std::int64_t workspace_;
};

}  // namespace

std::unique_ptr<const DeviceEvaluator> make_nep(const StoredModel &stored, at::Device device, std::int64_t workspace) {
  return std::make_unique<Nep>(stored, device, workspace);
}

}  // namespace pwmlff::cuda
