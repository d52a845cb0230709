// The evaluator of a Deep Potential, see model.hpp.
#include "dp/chunk.hpp"
#include "dp/model.hpp"
#include "dp/net_features.hpp"
#include "dp/table_features.hpp"
#include "kernel.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Atoms of a chunk: enough that each weight of the fitting net fetched serves many, few enough that what they leave for
// the derivatives stays in the outer cache.
constexpr std::int64_t kAtoms = 32;

// Buffers of one thread; they grow to the largest chunk and stay. Rows of A are `stride` long, the features padded to
// whole vectors; D and dE/dD have M2 rows of M numbers, and room behind them for a vector that begins in the last one.
template <typename Real, typename Wide, typename Features>
struct Workspace {
  Chunk<Real, Wide> chunk;
  typename Features::Workspace features;
  Buffer<Wide> wide_sums;            // A as it is summed, [atoms, 4, stride]
  Buffer<Real> sums, sums_gradient;  // A and dE/dA as the net sees them, likewise
  Buffer<Real> descriptor, descriptor_gradient;
  Net<Real> fitting;
};

// The weights of a fitting net for a descriptor that is stored axis feature by axis feature.
template <typename Real>
Buffer<Real> reordered(const NetView<Real> &net, std::int64_t n_features, std::int64_t n_axis) {
  const std::int64_t n_first = net.widths.front() * net.n_in;
  Buffer<Real> result(net.parameters, net.parameters + net_parameter_count(net.n_in, net.widths));
  for (std::int64_t row = 0; row < n_first; row += net.n_in)
    for (std::int64_t m = 0; m < n_features; ++m)
      for (std::int64_t q = 0; q < n_axis; ++q) result[row + q * n_features + m] = net.parameters[row + m * n_axis + q];
  return result;
}

template <typename Real, typename Wide, typename Features>
class DeepPotential final : public Evaluator {
 public:
  explicit DeepPotential(const dp::Model<Real> &model)
      : n_types_(model.n_types),
        n_axis_(model.n_axis),
        features_(model),
        n_features_(features_.n_features()),
        stride_(padded<Real>(n_features_)) {
    for (std::int64_t t = 0; t < n_types_; ++t) {
      const double *scale = model.scale + 4 * t;
      environments_.push_back(
          {model.inner, model.outer, model.mean[t], {scale[0], scale[1], scale[2], scale[3]}, model.n_neighbors});
    }
    for (const NetView<Real> &net : model.fitting) {
      fitting_.emplace_back(net, reordered(net, n_features_, n_axis_));
      const Real *tail = net.parameters + net_parameter_count(net.n_in, net.widths);
      outputs_.emplace_back(tail, tail + net.widths.back() + 1);
    }
  }

  std::int64_t n_types() const override { return n_types_; }

  Overflows evaluate(const Pairs &pairs, double *energies, double *gradients, std::int64_t first,
                     std::int64_t last) const override {
    static thread_local Workspace<Real, Wide, Features> work;
    Overflows overflows;
    std::vector<std::int64_t> &atoms = work.chunk.atoms;
    for (std::int64_t type = 0; type < n_types_; ++type) {
      atoms.clear();
      for (std::int64_t i = first; i < last; ++i) {
        if (pairs.atom_types[i] != type) continue;
        atoms.push_back(i);
        if (static_cast<std::int64_t>(atoms.size()) == kAtoms) flush(pairs, type, work, energies, gradients, overflows);
      }
      flush(pairs, type, work, energies, gradients, overflows);
    }
    return overflows;
  }

 private:
  using Work = Workspace<Real, Wide, Features>;
  using Vector = typename VectorOf<Real>::type;
  static constexpr std::int64_t lanes = kLanes<Real>;

  void flush(const Pairs &pairs, std::int64_t type, Work &work, double *energies, double *gradients,
             Overflows &overflows) const {
    Chunk<Real, Wide> &chunk = work.chunk;
    if (chunk.atoms.empty()) return;
    const auto n_atoms = static_cast<std::int64_t>(chunk.atoms.size());
    chunk.gather(pairs, n_types_);
    chunk.compute_rows(environments_[type]);
    work.wide_sums.assign(n_atoms * 4 * stride_, Wide(0));
    features_.sum(type, chunk, work.features, work.wide_sums.data(), stride_, overflows);
    work.sums.assign(work.wide_sums.begin(), work.wide_sums.end());
    provide(work.descriptor, n_atoms * n_features_ * n_axis_ + lanes);
    provide(work.descriptor_gradient, n_atoms * n_features_ * n_axis_ + lanes);
    provide(work.sums_gradient, n_atoms * 4 * stride_);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot) describe(work, slot);
    find_energies(type, work, energies);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot) differentiate_descriptor(work, slot);
    features_.differentiate(type, chunk, work.features, work.sums_gradient.data(), stride_);
    chunk.write_gradients(environments_[type], gradients);
    chunk.atoms.clear();
  }

  // D[q, m] = sum_c A[c, q] A[c, m]; a vector that reaches beyond the features is overwritten by the next row
  void describe(Work &work, std::int64_t slot) const {
    const Real *a = work.sums.data() + slot * 4 * stride_;
    Real *d = work.descriptor.data() + slot * n_features_ * n_axis_;
    for (std::int64_t q = 0; q < n_axis_; ++q)
      for (std::int64_t m = 0; m < n_features_; m += lanes) {
        Vector sum = {};
        for (int c = 0; c < 4; ++c) sum += a[c * stride_ + q] * load(a + c * stride_ + m);
        store(d + q * n_features_ + m, sum);
      }
  }

  // Energies of the chunk, and dE/dD.
  void find_energies(std::int64_t type, Work &work, double *energies) const {
    const PackedNet<Real> &packed = fitting_[type];
    const Buffer<Real> &output = outputs_[type];
    const auto n = static_cast<std::int64_t>(work.chunk.atoms.size());
    Net<Real> &net = work.fitting;
    net.prepare(packed.layers, kAtoms, 0);
    packed.template forward<0>(net, work.descriptor.data(), nullptr, n);
    const std::int64_t n_last = net.n_features(), width = net.width();
    std::fill(net.bar.begin(), net.bar.begin() + n * width, Real(0));
    for (std::int64_t slot = 0; slot < n; ++slot) {
      energies[work.chunk.atoms[slot]] =
          static_cast<double>(dot(net.output().y.data() + slot * width, output.data(), n_last) + output[n_last]);
      std::copy(output.begin(), output.begin() + n_last, net.bar.begin() + slot * width);
    }
    packed.reverse(net, n, work.descriptor_gradient.data());
  }

  // dE/dA[c, m] = sum_q dE/dD[q, m] A[c, q], and for axis features also sum_m' dE/dD[m, m'] A[c, m'].
  // What a vector reads beyond the features is another row or older than this chunk, and may be NaN: it is cut off.
  void differentiate_descriptor(Work &work, std::int64_t slot) const {
    const Real *a = work.sums.data() + slot * 4 * stride_;
    const Real *g = work.descriptor_gradient.data() + slot * n_features_ * n_axis_;
    Real *u = work.sums_gradient.data() + slot * 4 * stride_;
    for (std::int64_t m = 0; m < n_features_; m += lanes) {
      Vector sum[4] = {};
      for (std::int64_t q = 0; q < n_axis_; ++q) {
        const Vector gradient = load(g + q * n_features_ + m);
        for (int c = 0; c < 4; ++c) sum[c] += a[c * stride_ + q] * gradient;
      }
      for (int c = 0; c < 4; ++c) store(u + c * stride_ + m, sum[c]);
    }
    for (int c = 0; c < 4; ++c) std::fill(u + c * stride_ + n_features_, u + (c + 1) * stride_, Real(0));
    for (std::int64_t q = 0; q < n_axis_; ++q)
      for (int c = 0; c < 4; ++c) u[c * stride_ + q] += dot(g + q * n_features_, a + c * stride_, n_features_);
  }

  std::int64_t n_types_, n_axis_;
  Features features_;
  std::int64_t n_features_, stride_;
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
