// The kernels of the core as an evaluator of tensors.
#include <atomic>

#include "families.hpp"
#include "torch/device_evaluator.hpp"
#include "torch/tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;

class ProcessorEvaluator final : public DeviceEvaluator {
 public:
  explicit ProcessorEvaluator(const StoredModel &model) : evaluator_(make_evaluator(model)) {}

  std::tuple<Tensor, Tensor> evaluate(const PairTensors &tensors, const Tensor &overflows) const override {
    const Tensor energies = at::empty({tensors.n_atoms()}, tensors.vectors.options());
    const Tensor gradients = at::empty_like(tensors.vectors);
    const Pairs pairs{tensors.vectors.const_data_ptr<double>(), tensors.start.const_data_ptr<std::int64_t>(),
                      tensors.pair_types.const_data_ptr<std::int64_t>(),
                      tensors.atom_types.const_data_ptr<std::int64_t>()};
    double *energies_out = energies.data_ptr<double>(), *gradients_out = gradients.data_ptr<double>();
    const auto bounds = pair_bounds(pairs.start, tensors.n_atoms(), kPairsPerTask);
    std::vector<Overflows> counts(bounds.size());
    for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      counts[task] = evaluator_->evaluate(pairs, energies_out, gradients_out, first, last);
    });
    Overflows sum;
    for (const Overflows &count : counts) sum += count;
    std::int64_t *total = overflows.data_ptr<std::int64_t>();  // other threads may evaluate the same model
    std::atomic_ref(total[0]).fetch_add(sum.nearer);
    std::atomic_ref(total[1]).fetch_add(sum.beyond);
    return {energies, gradients};
  }

 private:
  std::unique_ptr<const Evaluator> evaluator_;
};

}  // namespace

std::unique_ptr<const DeviceEvaluator> make_processor_evaluator(const StoredModel &model) {
  return std::make_unique<ProcessorEvaluator>(model);
}

}  // namespace pwmlff
