// The evaluator of a Deep Potential, see model.hpp.
#include "atom_chunks.hpp"
#include "dp/chunk.hpp"
#include "dp/descriptor.hpp"
#include "dp/model.hpp"
#include "dp/net_features.hpp"
#include "dp/table_features.hpp"
#include "dp/weight_gradients.hpp"
#include "kernel.hpp"
#include "reverse_sweeps.hpp"
#include "thread_memory.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Atoms of a chunk: enough that each weight of the fitting net fetched serves many, few enough that what they leave for
// the derivatives stays in the outer cache.
constexpr std::int64_t kAtoms = 32;

// Buffers of one thread; they grow to the largest chunk and stay. A, D and their derivatives lie as descriptor.hpp
// says.
template <typename Real, typename Wide, typename Features>
struct Workspace {
  Chunk<Real, Wide> chunk;
  typename Features::Workspace features;
  Buffer<Wide> wide_sums;            // A as it is summed, [atoms, 4, stride]
  Buffer<Real> sums, sums_gradient;  // A and dE/dA as the net sees them, likewise
  Buffer<Real> descriptor, descriptor_gradient;
  Net<Real> fitting;
  ReverseSweeps<Real> sweeps;
};

// A fitting net for a descriptor that is stored axis feature by axis feature.
template <typename Real>
PackedNet<Real> reordered(NetView<Real> net, std::int64_t n_features, std::int64_t n_axis) {
  const std::int64_t n_first = net.widths.front() * net.n_in;
  Buffer<Real> parameters(net.parameters, net.parameters + net_parameter_count(net.n_in, net.widths));
  for (std::int64_t row = 0; row < n_first; row += net.n_in)
    for (std::int64_t m = 0; m < n_features; ++m)
      for (std::int64_t q = 0; q < n_axis; ++q)
        parameters[row + q * n_features + m] = net.parameters[row + m * n_axis + q];
  net.parameters = parameters.data();
  return PackedNet<Real>(net);
}

template <typename Real, typename Wide, typename Features>
class DeepPotential final : public Evaluator {
 public:
  explicit DeepPotential(const dp::Model<Real> &model)
      : n_types_(model.n_types),
        has_net_per_pair_(model.has_net_per_pair),
        features_(model),
        descriptor_{features_.n_features(), model.n_axis, padded<Real>(features_.n_features())} {
    for (std::int64_t t = 0; t < n_types_; ++t) {
      const double *scale = model.scale + 4 * t;
      environments_.push_back(
          {model.inner, model.outer, model.mean[t], {scale[0], scale[1], scale[2], scale[3]}, model.n_neighbors});
    }
    for (const NetView<Real> &net : model.fitting) {
      fitting_.push_back(reordered(net, descriptor_.n_features, descriptor_.n_axis));
      const Real *tail = net.parameters + net_parameter_count(net.n_in, net.widths);
      outputs_.emplace_back(tail, tail + net.widths.back() + 1);
    }
  }

  std::int64_t n_types() const override { return n_types_; }

  Overflows evaluate(const Pairs &pairs, double *energies, double *gradients, unsigned char *, std::int64_t first,
                     std::int64_t last) const override {
    Work &work = of_thread<Work>();
    features_.prepare(pairs, environments_, first, last, work.features);
    Overflows overflows;
    for (std::int64_t type = 0; type < n_types_; ++type)
      for_chunks(pairs, type, first, last, kAtoms, work.chunk.atoms,
                 [&] { compute(pairs, type, work, energies, gradients, overflows); });
    return overflows;
  }

  std::int64_t n_weights() const override {
    if constexpr (kIsTrained) return trained().n_weights();
    return 0;
  }

  void differentiate(const Pairs &pairs, const Cotangents &cotangents, const unsigned char *, double *rows,
                     std::int64_t first, std::int64_t last) const override {
    if constexpr (kIsTrained) {
      of_thread<WeightGradients<Real>>().run(trained(), pairs, cotangents, rows, first, last);
    }
  }

 private:
  using Work = Workspace<Real, Wide, Features>;
  // Nets, not tables, whose geometry is that of training.
  static constexpr bool kIsTrained = std::is_same_v<Features, NetFeatures<Real, double>>;

  TrainedNets<Real> trained() const {
    return {environments_, features_.nets(), fitting_, outputs_, descriptor_, has_net_per_pair_};
  }

  void compute(const Pairs &pairs, std::int64_t type, Work &work, double *energies, double *gradients,
               Overflows &overflows) const {
    Chunk<Real, Wide> &chunk = work.chunk;
    const auto n_atoms = static_cast<std::int64_t>(chunk.atoms.size());
    const std::int64_t stride = descriptor_.stride, length = descriptor_.length();
    chunk.gather(pairs, n_types_);
    chunk.compute_rows(environments_[type]);
    work.wide_sums.assign(n_atoms * 4 * stride, Wide(0));
    features_.sum(type, chunk, work.features, work.wide_sums.data(), stride, overflows);
    work.sums.assign(work.wide_sums.begin(), work.wide_sums.end());
    provide(work.descriptor, n_atoms * length + kLanes<Real>);
    provide(work.descriptor_gradient, n_atoms * length + kLanes<Real>);
    provide(work.sums_gradient, n_atoms * 4 * stride);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot)
      descriptor_.describe(work.sums.data() + slot * 4 * stride, work.descriptor.data() + slot * length);
    find_energies(type, work, energies);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot)
      descriptor_.template differentiate<false>(work.sums.data() + slot * 4 * stride,
                                                work.descriptor_gradient.data() + slot * length,
                                                work.sums_gradient.data() + slot * 4 * stride);
    features_.differentiate(type, chunk, work.features, work.sums_gradient.data(), stride);
    chunk.write_gradients(environments_[type], gradients);
  }

  // Energies of the chunk, and dE/dD.
  void find_energies(std::int64_t type, Work &work, double *energies) const {
    const PackedNet<Real> &packed = fitting_[type];
    const Buffer<Real> &output = outputs_[type];
    const auto n = static_cast<std::int64_t>(work.chunk.atoms.size());
    Net<Real> &net = work.fitting;
    net.prepare(packed.layers, kAtoms, 0);
    work.sweeps.prepare(packed.layers, kAtoms);
    net.template forward<0>(work.descriptor.data(), nullptr, n);
    const std::int64_t n_last = net.n_features(), width = net.width();
    Real *by_values = work.sweeps.by_values();
    std::fill(by_values, by_values + n * width, Real(0));
    for (std::int64_t slot = 0; slot < n; ++slot) {
      energies[work.chunk.atoms[slot]] =
          static_cast<double>(dot(net.output().y.data() + slot * width, output.data(), n_last) + output[n_last]);
      std::copy(output.begin(), output.begin() + n_last, by_values + slot * width);
    }
    work.sweeps.sweep_values(net, n, {}, work.descriptor_gradient.data());
  }

  std::int64_t n_types_;
  bool has_net_per_pair_;
  Features features_;
  Descriptor<Real> descriptor_;
  std::vector<Environment> environments_;  // by central type, as the rest
  std::vector<PackedNet<Real>> fitting_;
  std::vector<Buffer<Real>> outputs_;  // w and c
};

template <typename Real, typename Wide>
std::unique_ptr<const Evaluator> make_with(const dp::Model<Real> &model) {
  if (model.tables.empty()) return std::make_unique<DeepPotential<Real, Wide, NetFeatures<Real, Wide>>>(model);
  if (model.tables.front().terms == 4)
    return std::make_unique<DeepPotential<Real, Wide, TableFeatures<Real, Wide, 4>>>(model);
  return std::make_unique<DeepPotential<Real, Wide, TableFeatures<Real, Wide, 6>>>(model);
}

template <typename Real>
std::unique_ptr<const Evaluator> make(const dp::Model<Real> &model) {
  return model.has_double_geometry ? make_with<Real, double>(model) : make_with<Real, Real>(model);
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA

PWMLFF_EVALUATOR(dp::Model)
