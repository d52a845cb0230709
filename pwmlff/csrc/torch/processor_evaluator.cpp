// The kernels of the core as an evaluator of tensors.
#include <atomic>
#include <numeric>

#include "families.hpp"
#include "torch/device_evaluator.hpp"
#include "torch/recycled.hpp"
#include "torch/tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;

class ProcessorEvaluator final : public DeviceEvaluator {
 public:
  explicit ProcessorEvaluator(const StoredModel &model) : evaluator_(make_evaluator(model)) {}

  std::tuple<Tensor, Tensor> evaluate(const PairTensors &tensors, const Tensor &overflows) const override {
    return evaluate(tensors, overflows, nullptr);
  }

  const Evaluator &of_core() const override { return *evaluator_; }

  std::tuple<Tensor, Tensor, Tensor> evaluate_keeping(const PairTensors &tensors,
                                                      const Tensor &overflows) const override {
    const Tensor kept = recycled({tensors.n_pairs(), evaluator_->kept_size()}, at::kByte);
    const auto [energies, gradients] = evaluate(tensors, overflows, kept.data_ptr<std::uint8_t>());
    return {energies, gradients, kept};
  }

  // No task works on two parts, so the parts' rows do not depend on each other.
  Tensor differentiate(const PairTensors &tensors, const Tensor &kept,
                       const CotangentTensors &cotangents) const override {
    const std::int64_t n_weights = evaluator_->n_weights(), n_parts = cotangents.part_start.size(0) - 1;
    const std::int64_t n_sums = cotangents.by_energies.size(0);
    TORCH_CHECK(n_weights > 0, "this model offers no gradients by its weights");
    TORCH_CHECK(kept.scalar_type() == at::kByte && kept.is_contiguous() &&
                    kept.sizes() == at::IntArrayRef({tensors.n_pairs(), evaluator_->kept_size()}),
                "weight_gradients: these pairs were not evaluated before, by evaluate_keeping");
    const Pairs pairs = pairs_of(tensors);
    const Cotangents sums{tensors.n_atoms(),
                          tensors.n_pairs(),
                          n_sums,
                          cotangents.by_gradients.size(0),
                          cotangents.by_energies.const_data_ptr<double>(),
                          cotangents.by_gradients.const_data_ptr<double>()};
    const std::int64_t *part_start = cotangents.part_start.const_data_ptr<std::int64_t>();
    const std::int64_t n_threads = at::get_num_threads(), n_pieces = n_threads / std::gcd(n_parts, n_threads);
    const Tensor rows = recycled({n_parts, n_pieces, n_sums, n_weights}, at::kDouble);
    double *out = rows.data_ptr<double>();
    const std::uint8_t *from = kept.const_data_ptr<std::uint8_t>();
    at::parallel_for(0, n_parts * n_pieces, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t *part = part_start + task / n_pieces, piece = task % n_pieces, n_atoms = part[1] - part[0];
        evaluator_->differentiate(pairs, sums, from, out + task * n_sums * n_weights,
                                  part[0] + n_atoms * piece / n_pieces, part[0] + n_atoms * (piece + 1) / n_pieces);
      }
    });
    return n_pieces == 1 ? rows.squeeze(1) : rows.sum(1);
  }

 private:
  std::tuple<Tensor, Tensor> evaluate(const PairTensors &tensors, const Tensor &overflows, std::uint8_t *kept) const {
    const Tensor energies = at::empty({tensors.n_atoms()}, tensors.vectors.options());
    const Tensor gradients = at::empty_like(tensors.vectors);
    const Pairs pairs = pairs_of(tensors);
    double *energies_out = energies.data_ptr<double>(), *gradients_out = gradients.data_ptr<double>();
    const auto bounds = pair_bounds(pairs.start, tensors.n_atoms(), kPairsPerTask);
    std::vector<Overflows> counts(bounds.size());
    for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      counts[task] = evaluator_->evaluate(pairs, energies_out, gradients_out, kept, first, last);
    });
    Overflows sum;
    for (const Overflows &count : counts) sum += count;
    std::int64_t *total = overflows.data_ptr<std::int64_t>();  // other threads may evaluate the same model
    std::atomic_ref(total[0]).fetch_add(sum.nearer);
    std::atomic_ref(total[1]).fetch_add(sum.beyond);
    return {energies, gradients};
  }

  static Pairs pairs_of(const PairTensors &tensors) {
    return {tensors.vectors.const_data_ptr<double>(), tensors.start.const_data_ptr<std::int64_t>(),
            tensors.pair_types.const_data_ptr<std::int64_t>(), tensors.atom_types.const_data_ptr<std::int64_t>()};
  }

  std::unique_ptr<const Evaluator> evaluator_;
};

}  // namespace

std::unique_ptr<const DeviceEvaluator> make_processor_evaluator(const StoredModel &model) {
  return std::make_unique<ProcessorEvaluator>(model);
}

}  // namespace pwmlff
