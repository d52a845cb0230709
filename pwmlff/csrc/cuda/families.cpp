#include "cuda/families.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

#include "cuda/check.hpp"
#include "cuda/dp/evaluator.hpp"
#include "cuda/nep/evaluator.hpp"
#include "cuda/stream.hpp"
#include "cuda/zbl_device.hpp"
#include "shortest.hpp"
#include "torch/stored_tensors.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;

struct Family {
  const char *name;
  std::unique_ptr<const DeviceEvaluator> (*make_evaluator)(const StoredModel &, at::Device, std::int64_t workspace);
};

constexpr Family kFamilies[] = {
    {"dp", make_deep_potential},
    {"nep", make_nep},
};

std::unique_ptr<const DeviceEvaluator> make_network(const StoredModel &model, at::Device device,
                                                    std::int64_t workspace) {
  for (const Family &family : kFamilies)
    if (model.family == family.name) return family.make_evaluator(model, device, workspace);
  throw std::runtime_error("this library has no kernels on CUDA for models of the family '" + model.family + "'");
}

// A family's model with what every family may have. Their arrays were checked by the core, which has seen them before.
class Potential final : public DeviceEvaluator {
 public:
  Potential(std::unique_ptr<const DeviceEvaluator> network, const StoredModel &model, at::Device device)
      : network_(std::move(network)) {
    if (model.has("repulsion.range")) {
      n_types_ = model.array("repulsion.charges").size();
      const Zbl zbl(model, n_types_);
      constexpr std::int64_t n_numbers = sizeof(ZblConstants) / sizeof(double);
      constants_ = tensor_of({DType::float64, {n_types_, n_types_, n_numbers}, zbl.constants().data()}).to(device);
    }
    if (model.has("energy_shift")) energy_shift_ = tensor_of(model.array("energy_shift")).to(device);
    if (model.has("shortest")) {
      const std::int64_t n_types = model.array("shortest").shape.front();
      const std::vector<double> squares = ShortestDistances(model, n_types).squares();
      shortest_squares_ = tensor_of({DType::float64, {n_types, n_types}, squares.data()}).to(device);
    }
  }

  std::tuple<Tensor, Tensor> evaluate(const PairTensors &pairs, const Tensor &overflows) const override {
    const Tensor own = own_counts(overflows);
    const auto [energies, gradients] = network_->evaluate(pairs, own);
    complete(pairs, own, overflows, energies, gradients);
    return {energies, gradients};
  }

  std::tuple<Tensor, Tensor, Tensor> evaluate_keeping(const PairTensors &pairs,
                                                      const Tensor &overflows) const override {
    const Tensor own = own_counts(overflows);
    const auto [energies, gradients, kept] = network_->evaluate_keeping(pairs, own);
    complete(pairs, own, overflows, energies, gradients);
    return {energies, gradients, kept};
  }

  // What is added to the network has no weights.
  Tensor differentiate(const PairTensors &pairs, const Tensor &kept,
                       const CotangentTensors &cotangents) const override {
    return network_->differentiate(pairs, kept, cotangents);
  }

 private:
  // Where the network counts.
  Tensor own_counts(const Tensor &overflows) const {
    return shortest_squares_.defined() ? at::zeros_like(overflows) : overflows;
  }

  // Adds what is not the network's.
  void complete(const PairTensors &pairs, const Tensor &own, const Tensor &overflows, const Tensor &energies,
                const Tensor &gradients) const {
    if (shortest_squares_.defined()) {
      own.select(0, 0).copy_(count_nearer(pairs));
      overflows.add_(own);
    }
    if (constants_.defined()) add_repulsion(pairs, energies, gradients);
    if (energy_shift_.defined()) energies.add_(energy_shift_.index_select(0, pairs.atom_types));
  }

  void add_repulsion(const PairTensors &pairs, const Tensor &energies, const Tensor &gradients) const {
    const Pairs pointers{pairs.vectors.const_data_ptr<double>(), pairs.start.const_data_ptr<std::int64_t>(),
                         pairs.pair_types.const_data_ptr<std::int64_t>(),
                         pairs.atom_types.const_data_ptr<std::int64_t>()};
    const DeviceZbl zbl{reinterpret_cast<const ZblConstants *>(constants_.const_data_ptr<double>()), n_types_};
    check(add_zbl(zbl, pointers, pairs.n_atoms(), energies.data_ptr<double>(), gradients.data_ptr<double>(),
                  current_stream()));
  }

  // As the core's ShortestDistances does; without a wait for the device.
  Tensor count_nearer(const PairTensors &pairs) const {
    const Tensor center_types = at::repeat_interleave(pairs.atom_types, pairs.start.diff(), 0, pairs.n_pairs());
    const Tensor kinds = center_types * shortest_squares_.size(0) + pairs.pair_types;
    return pairs.vectors.square().sum(1).lt(shortest_squares_.view(-1).index_select(0, kinds)).sum();
  }

  std::unique_ptr<const DeviceEvaluator> network_;
  std::int64_t n_types_ = 0;
  Tensor constants_;         // [T, T, n] of ZblConstants, undefined where there is no repulsion
  Tensor energy_shift_;      // [T] eV, likewise
  Tensor shortest_squares_;  // [T, T] Å^2, likewise
};

}  // namespace

std::unique_ptr<const DeviceEvaluator> make_evaluator(const StoredModel &model, at::Device device,
                                                      std::int64_t workspace) {
  return std::make_unique<Potential>(make_network(model, device, workspace), model, device);
}

}  // namespace pwmlff::cuda
