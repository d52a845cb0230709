#include "dp_evaluate.hpp"

#include <c10/core/GradMode.h>

#include "aten_net.hpp"
#include "dp_device.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;

template <typename Real>
class Evaluation {
 public:
  Evaluation(const DpArguments &arguments, const ChunkPlan &plan, Tensor energies, Tensor gradients,
             cudaStream_t stream)
      : d_(arguments), plan_(plan), energies_(energies), gradients_(gradients), stream_(stream) {
    for (std::int64_t t = 0; t < d_.n_types(); ++t)
      fitting_.emplace_back(d_.fitting[t], d_.n_features() * d_.n_axis, d_.fitting_widths, d_.fitting_activation,
                            stream);
    if (!d_.has_tables())
      for (std::int64_t k = 0; k < d_.n_nets(); ++k)
        embedding_.emplace_back(d_.embedding[k], 1, d_.embedding_widths, d_.embedding_activation, stream);
  }

  void run(const ChunkBounds &bounds) {
    const DpChunk chunk = chunk_of(bounds);
    if (d_.has_tables()) {
      run(bounds, chunk, tables());
      return;
    }
    const auto [values, slopes] = features(chunk);
    const DeviceFeatures<Real> stored{values.template const_data_ptr<Real>(), slopes.template const_data_ptr<Real>(),
                                      d_.n_features()};
    run(bounds, chunk, stored);
  }

 private:
  template <typename Source>
  void run(const ChunkBounds &bounds, const DpChunk &chunk, const Source &source) {
    Tensor sums = at::empty({chunk.n_atoms, 4, d_.n_features()}, d_.fitting.options());
    check(sum_features(chunk, source, sums.data_ptr<Real>(), stream_));
    const Tensor sums_gradient = differentiate(bounds, sums);
    check(find_gradients(chunk, source, sums_gradient.const_data_ptr<Real>(), gradients_.data_ptr<double>(), stream_));
  }

  DpChunk chunk_of(const ChunkBounds &bounds) const {
    DpChunk chunk;
    chunk.vectors = d_.vectors.const_data_ptr<double>();
    chunk.start = d_.start.const_data_ptr<std::int64_t>();
    chunk.pair_types = d_.pair_types.const_data_ptr<std::int64_t>();
    chunk.atom_types = d_.atom_types.const_data_ptr<std::int64_t>();
    chunk.atom_of_place = plan_.atom_of_place.const_data_ptr<std::int64_t>();
    chunk.place_of_atom = plan_.place_of_atom.const_data_ptr<std::int64_t>();
    chunk.mean = d_.mean.const_data_ptr<double>();
    chunk.scale = d_.scale.const_data_ptr<double>();
    chunk.inner = d_.inner;
    chunk.outer = d_.outer;
    chunk.n_neighbors = d_.n_neighbors;
    chunk.n_types = d_.n_types();
    chunk.has_net_per_pair = d_.n_nets() != d_.n_types();
    chunk.has_double_geometry = d_.has_double_geometry;
    chunk.first_atom = bounds.first_atom;
    chunk.n_atoms = bounds.n_atoms();
    chunk.first_pair = bounds.first_pair;
    chunk.n_pairs = bounds.n_pairs;
    return chunk;
  }

  DeviceTables<Real> tables() const {
    return {d_.embedding.const_data_ptr<Real>(),
            d_.grids.const_data_ptr<double>(),
            plan_.first_interval.const_data_ptr<std::int64_t>(),
            d_.overflows.data_ptr<std::int64_t>(),
            d_.embedding.size(1),
            d_.n_features(),
            d_.dx};
  }

  // G and G' [n_pairs, M] of the chunk's pairs, by the embedding nets.
  std::pair<Tensor, Tensor> features(const DpChunk &chunk) const {
    Tensor inputs = at::empty({chunk.n_pairs, 1}, d_.embedding.options());
    Tensor nets = at::empty({chunk.n_pairs}, d_.start.options());
    check(find_inputs(chunk, inputs.data_ptr<Real>(), nets.data_ptr<std::int64_t>(), stream_));
    Tensor values = at::empty({chunk.n_pairs, d_.n_features()}, d_.embedding.options());
    Tensor slopes = at::empty_like(values);
    const auto [sorted, order] = at::sort(nets, std::optional<bool>(true));
    const Tensor bounds = at::searchsorted(sorted, at::arange(d_.n_nets() + 1, d_.start.options())).cpu();
    const std::int64_t *first = bounds.const_data_ptr<std::int64_t>();
    TORCH_CHECK(first[0] == 0 && first[d_.n_nets()] == chunk.n_pairs,
                "dp_evaluate: a pair has a type that is not one of 0 to ", d_.n_types() - 1);
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
    for (std::int64_t type = 0; type < d_.n_types(); ++type) {
      const std::int64_t first = bounds.first_places[type], n = bounds.first_places[type + 1] - first;
      if (n == 0) continue;
      const std::int64_t row = first - bounds.first_atom;
      gradient.narrow(0, row, n).copy_(
          fit(type, descriptor.narrow(0, row, n), plan_.atom_of_place.narrow(0, first, n)));
    }
    Tensor sums_gradient = at::bmm(axis, gradient.transpose(1, 2));
    sums_gradient.narrow(2, 0, d_.n_axis).add_(at::bmm(sums, gradient));  // axis features stand on both sides
    return sums_gradient.contiguous();
  }

  // dE/dD of atoms of one type, from D [n, M, M2].
  Tensor fit(std::int64_t type, const Tensor &descriptor, const Tensor &atoms) {
    AtenNet<Real> &net = fitting_[type];
    const std::int64_t n_last = d_.fitting_widths.back();
    const Tensor output = d_.fitting[type].slice(0, -1 - n_last, -1), shift = d_.fitting[type].slice(0, -1);
    const Tensor hidden = net.forward(descriptor.reshape({atoms.size(0), -1}).contiguous());
    energies_.index_copy_(0, atoms, (at::mv(hidden, output) + shift).to(at::kDouble));
    return net.reverse(output.expand({atoms.size(0), n_last}).contiguous()).view(descriptor.sizes());
  }

  const DpArguments &d_;
  const ChunkPlan &plan_;
  Tensor energies_, gradients_;
  cudaStream_t stream_;
  std::vector<AtenNet<Real>> fitting_, embedding_;
};

}  // namespace

std::tuple<Tensor, Tensor> dp_evaluate(const DpArguments &arguments, cudaStream_t stream, std::int64_t workspace) {
  const c10::NoGradGuard no_gradients;
  arguments.check();
  Tensor energies = at::empty({arguments.n_atoms()}, arguments.vectors.options());
  Tensor gradients = at::empty_like(arguments.vectors);
  if (arguments.n_atoms() == 0) return {energies, gradients};
  const ChunkPlan plan(arguments, workspace);
  AT_DISPATCH_FLOATING_TYPES(arguments.fitting.scalar_type(), "dp_evaluate", [&] {
    Evaluation<scalar_t> evaluation(arguments, plan, energies, gradients, stream);
    for (const ChunkBounds &bounds : plan.chunks) evaluation.run(bounds);
  });
  return {energies, gradients};
}

}  // namespace pwmlff::cuda
