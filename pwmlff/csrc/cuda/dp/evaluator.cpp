#include "cuda/dp/evaluator.hpp"

#include <numeric>

#include "cuda/aten_net.hpp"
#include "cuda/dp/chunks.hpp"
#include "cuda/dp/device.hpp"
#include "cuda/stream.hpp"
#include "dp/description.hpp"
#include "torch/stored_tensors.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;

std::int64_t sum(const std::vector<std::int64_t> &numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}

// A stored model with its arrays on the device.
struct Weights {
  dp::Description d;  // what it points to is not used
  Tensor mean, scale, fitting;
  Tensor embedding;                      // nets, where there are no tables
  Tensor tables, grids, first_interval;  // where there are: coefficients, [K, 3], [K]

  Weights(const StoredModel &stored, at::Device device) : d(stored) {
    mean = tensor_of(d.mean).to(device);
    scale = tensor_of(d.scale).to(device);
    fitting = tensor_of(d.fitting.parameters).to(device);
    if (!d.has_tables()) {
      embedding = tensor_of(d.embedding.parameters).to(device);
      return;
    }
    tables = tensor_of(d.tables).to(device);
    grids = tensor_of(stored.array("tables.grids")).to(device);
    std::vector<std::int64_t> first{0};
    for (const dp::Grid &grid : d.grids) first.push_back(first.back() + grid.n_intervals());
    first_interval = at::tensor(first, at::kLong).to(device);
  }

  Footprint footprint() const {
    const std::int64_t item = fitting.element_size();
    // A and D with gradients, copies that the products make, and two numbers per neuron and pass
    const std::int64_t atom = 12 * d.n_features + 3 * d.n_features * d.n_axis + 4 * sum(d.fitting.widths);
    // where nets make the features: input, net and order; G and G', and the layers they come from
    const std::int64_t pair = d.has_tables() ? 0 : 64 + (2 * d.n_features + 4 * sum(d.embedding.widths)) * item;
    return {atom * item, pair};
  }
};

template <typename Real>
class Evaluation {
 public:
  Evaluation(const Weights &weights, const PairTensors &pairs, const ChunkPlan &plan, const Tensor &overflows,
             const Tensor &energies, const Tensor &gradients)
      : weights_(weights),
        d_(weights.d),
        pairs_(pairs),
        plan_(plan),
        overflows_(overflows),
        energies_(energies),
        gradients_(gradients),
        stream_(current_stream()) {
    for (std::int64_t t = 0; t < d_.n_types; ++t)
      fitting_.emplace_back(weights.fitting[t], d_.n_features * d_.n_axis, d_.fitting.widths, d_.fitting.activation,
                            stream_);
    if (!d_.has_tables())
      for (std::int64_t k = 0; k < d_.n_nets(); ++k)
        embedding_.emplace_back(weights.embedding[k], 1, d_.embedding.widths, d_.embedding.activation, stream_);
  }

  void run(const ChunkBounds &bounds) {
    const DpChunk chunk = chunk_of(bounds);
    if (d_.has_tables()) {
      run(bounds, chunk, tables());
      return;
    }
    const auto [values, slopes] = features(chunk);
    const DeviceFeatures<Real> stored{values.template const_data_ptr<Real>(), slopes.template const_data_ptr<Real>(),
                                      d_.n_features};
    run(bounds, chunk, stored);
  }

 private:
  template <typename Source>
  void run(const ChunkBounds &bounds, const DpChunk &chunk, const Source &source) {
    Tensor sums = at::empty({chunk.n_atoms, 4, d_.n_features}, weights_.fitting.options());
    check(sum_features(chunk, source, sums.data_ptr<Real>(), stream_));
    const Tensor sums_gradient = differentiate(bounds, sums);
    check(find_gradients(chunk, source, sums_gradient.const_data_ptr<Real>(), gradients_.data_ptr<double>(), stream_));
  }

  DpChunk chunk_of(const ChunkBounds &bounds) const {
    DpChunk chunk;
    chunk.vectors = pairs_.vectors.const_data_ptr<double>();
    chunk.start = pairs_.start.const_data_ptr<std::int64_t>();
    chunk.pair_types = pairs_.pair_types.const_data_ptr<std::int64_t>();
    chunk.atom_types = pairs_.atom_types.const_data_ptr<std::int64_t>();
    chunk.atom_of_place = plan_.atom_of_place.const_data_ptr<std::int64_t>();
    chunk.place_of_atom = plan_.place_of_atom.const_data_ptr<std::int64_t>();
    chunk.mean = weights_.mean.const_data_ptr<double>();
    chunk.scale = weights_.scale.const_data_ptr<double>();
    chunk.inner = d_.inner;
    chunk.outer = d_.outer;
    chunk.n_neighbors = d_.n_neighbors;
    chunk.n_types = d_.n_types;
    chunk.has_net_per_pair = d_.has_net_per_pair();
    chunk.has_double_geometry = d_.has_double_geometry;
    chunk.first_atom = bounds.first_atom;
    chunk.n_atoms = bounds.n_atoms();
    chunk.first_pair = bounds.first_pair;
    chunk.n_pairs = bounds.n_pairs;
    return chunk;
  }

  DeviceTables<Real> tables() const {
    return {weights_.tables.const_data_ptr<Real>(),
            weights_.grids.const_data_ptr<double>(),
            weights_.first_interval.const_data_ptr<std::int64_t>(),
            overflows_.data_ptr<std::int64_t>(),
            d_.tables.shape[1],
            d_.n_features,
            d_.dx};
  }

  // G and G' [n_pairs, M] of the chunk's pairs, by the embedding nets.
  std::pair<Tensor, Tensor> features(const DpChunk &chunk) const {
    Tensor inputs = at::empty({chunk.n_pairs, 1}, weights_.embedding.options());
    Tensor nets = at::empty({chunk.n_pairs}, pairs_.start.options());
    check(find_inputs(chunk, inputs.data_ptr<Real>(), nets.data_ptr<std::int64_t>(), stream_));
    Tensor values = at::empty({chunk.n_pairs, d_.n_features}, weights_.embedding.options());
    Tensor slopes = at::empty_like(values);
    const auto [sorted, order] = at::sort(nets, std::optional<bool>(true));
    const Tensor bounds = at::searchsorted(sorted, at::arange(d_.n_nets() + 1, pairs_.start.options())).cpu();
    const std::int64_t *first = bounds.const_data_ptr<std::int64_t>();
    TORCH_CHECK(first[0] == 0 && first[d_.n_nets()] == chunk.n_pairs,
                "evaluate: a pair has a type that is not one of 0 to ", d_.n_types - 1);
    for (std::int64_t k = 0; k < d_.n_nets(); ++k) {
      const Tensor pairs = order.slice(0, first[k], first[k + 1]);
      if (pairs.size(0) == 0) continue;
      const auto [y, y1] = embedding_[k].forward_with_slopes(inputs.index_select(0, pairs));
      values.index_copy_(0, pairs, y);
      slopes.index_copy_(0, pairs, y1);
    }
    return {values, slopes};
  }

  // Fills the chunk's energies; returns dE/dA [n_atoms, 4, M].
  Tensor differentiate(const ChunkBounds &bounds, const Tensor &sums) {
    const Tensor axis = sums.narrow(2, 0, d_.n_axis);               // [n_atoms, 4, M2]
    const Tensor descriptor = at::bmm(sums.transpose(1, 2), axis);  // [n_atoms, M, M2]
    Tensor gradient = at::empty_like(descriptor, at::MemoryFormat::Contiguous);
    for (std::int64_t type = 0; type < d_.n_types; ++type) {
      const std::int64_t first = bounds.first_places[type], n = bounds.first_places[type + 1] - first;
      if (n == 0) continue;
      const std::int64_t row = first - bounds.first_atom;
      gradient.narrow(0, row, n).copy_(
          find_energies(type, descriptor.narrow(0, row, n), plan_.atom_of_place.narrow(0, first, n)));
    }
    Tensor sums_gradient = at::bmm(axis, gradient.transpose(1, 2));
    sums_gradient.narrow(2, 0, d_.n_axis).add_(at::bmm(sums, gradient));  // axis features stand on both sides
    return sums_gradient.contiguous();
  }

  // Fills the energies of atoms of one type, from D [n, M, M2]; returns dE/dD.
  Tensor find_energies(std::int64_t type, const Tensor &descriptor, const Tensor &atoms) {
    AtenNet<Real> &net = fitting_[type];
    const std::int64_t n_last = d_.fitting.widths.back();
    const Tensor output = weights_.fitting[type].slice(0, -1 - n_last, -1), shift = weights_.fitting[type].slice(0, -1);
    const Tensor hidden = net.forward(descriptor.reshape({atoms.size(0), -1}).contiguous());
    energies_.index_copy_(0, atoms, (at::mv(hidden, output) + shift).to(at::kDouble));
    return net.reverse(output.expand({atoms.size(0), n_last}).contiguous()).view(descriptor.sizes());
  }

  const Weights &weights_;
  const dp::Description &d_;
  const PairTensors &pairs_;
  const ChunkPlan &plan_;
  Tensor overflows_, energies_, gradients_;
  cudaStream_t stream_;
  std::vector<AtenNet<Real>> fitting_, embedding_;
};

class DeepPotential final : public DeviceEvaluator {
 public:
  DeepPotential(const StoredModel &stored, at::Device device, std::int64_t workspace)
      : weights_(stored, device), workspace_(workspace) {}

  std::tuple<Tensor, Tensor> evaluate(const PairTensors &pairs, const Tensor &overflows) const override {
    const Tensor energies = at::empty({pairs.n_atoms()}, pairs.vectors.options());
    const Tensor gradients = at::empty_like(pairs.vectors);
    if (pairs.n_atoms() == 0) return {energies, gradients};
    const ChunkPlan plan(pairs, weights_.d.n_types, weights_.footprint(), workspace_);
    AT_DISPATCH_FLOATING_TYPES(weights_.fitting.scalar_type(), "evaluate", [&] {
      Evaluation<scalar_t> evaluation(weights_, pairs, plan, overflows, energies, gradients);
      for (const ChunkBounds &bounds : plan.chunks) evaluation.run(bounds);
    });
    return {energies, gradients};
  }

 private:
  Weights weights_;
  std::int64_t workspace_;
};

}  // namespace

std::unique_ptr<const DeviceEvaluator> make_deep_potential(const StoredModel &stored, at::Device device,
                                                           std::int64_t workspace) {
  return std::make_unique<DeepPotential>(stored, device, workspace);
}

}  // namespace pwmlff::cuda
