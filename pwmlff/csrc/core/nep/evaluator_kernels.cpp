// The evaluator of NEP, see model.hpp.
#include "atom_chunks.hpp"
#include "kernel.hpp"
#include "nep/angular_part.hpp"
#include "nep/model.hpp"
#include "nep/neighborhood.hpp"
#include "nep/radial_part.hpp"
#include "nep/radial_tables.hpp"
#include "nep/weight_gradients.hpp"
#include "packed_net.hpp"
#include "reverse_sweeps.hpp"
#include "thread_memory.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Atoms of a chunk: enough that each weight of the net fetched serves many, few enough that what their pairs leave for
// the derivatives stays in the outer cache.
constexpr std::int64_t kAtoms = 16;

// Buffers of one thread; they grow to the largest chunk and stay.
template <typename Real, typename Wide, typename Radial>
struct Workspace {
  std::vector<std::int64_t> atoms;
  Neighborhood<Wide> neighbors;
  typename Radial::Workspace radial;
  AngularWorkspace<Real, Wide> angular;
  Buffer<Wide> radial_sums;
  Buffer<Real> descriptors, by_descriptors;  // [atoms, D], and room for a vector behind them
  Net<Real> net;
  ReverseSweeps<Real> sweeps;
};

// The net as one layer, y = w1 tanh(w0 scaler q - b0), whose outputs are summed up.
template <typename Real>
PackedNet<Real> packed(const nep::Model<Real> &model, std::int64_t type) {
  const std::int64_t n_neurons = model.n_neurons, n_descriptors = model.n_descriptors;
  const Real *from = model.net + type * (n_neurons * (n_descriptors + 2) + 1);
  Buffer<Real> parameters(from, from + n_neurons * (n_descriptors + 2));
  for (std::int64_t h = 0; h < n_neurons; ++h)
    for (std::int64_t d = 0; d < n_descriptors; ++d) parameters[h * n_descriptors + d] *= model.scaler[d];
  for (std::int64_t h = 0; h < n_neurons; ++h) parameters[n_neurons * n_descriptors + h] *= Real(-1);
  return PackedNet<Real>({parameters.data(), n_descriptors, {n_neurons}, {ActivationKind::tanh}});
}

template <typename Real, typename Wide, typename Radial, typename Functions>
class Nep final : public Evaluator {
 public:
  explicit Nep(const nep::Model<Real> &model)
      : n_types_(model.n_types),
        n_descriptors_(model.n_descriptors),
        has_angles_(model.l_max > 0),
        radial_(model),
        angular_(model),
        scaler_(model.scaler, model.scaler + model.n_descriptors) {
    for (std::int64_t t = 0; t < n_types_; ++t) {
      radii_.push_back(cutoff_radii(model, t));
      nets_.push_back(packed(model, t));
      biases_.push_back(model.net[(t + 1) * (model.n_neurons * (n_descriptors_ + 2) + 1) - 1]);
    }
  }

  std::int64_t n_types() const override { return n_types_; }

  Overflows evaluate(const Pairs &pairs, double *energies, double *gradients, unsigned char *, std::int64_t first,
                     std::int64_t last) const override {
    Work &work = of_thread<Work>();
    for (std::int64_t type = 0; type < n_types_; ++type)
      for_chunks(pairs, type, first, last, kAtoms, work.atoms,
                 [&] { compute(pairs, type, work, energies, gradients); });
    return {};
  }

  std::int64_t n_weights() const override {
    if constexpr (kIsTrained) return trained().n_weights();
    return 0;
  }

  // Distances and radial functions are cheap to find again: nothing is kept of the evaluation.
  void differentiate(const Pairs &pairs, const Cotangents &cotangents, const unsigned char *, double *rows,
                     std::int64_t first, std::int64_t last) const override {
    if constexpr (kIsTrained) {
      of_thread<WeightGradients<Real>>().run(trained(), pairs, cotangents, rows, first, last);
    }
  }

 private:
  using Work = Workspace<Real, Wide, Radial>;
  // Coefficients, not tables, whose geometry is that of training.
  static constexpr bool kIsTrained = std::is_same_v<Functions, Expansion<Real, double>>;

  TrainedNep<Real> trained() const {
    return {radii_,
            nets_,
            scaler_,
            radial_.expansion(),
            angular_.functions(),
            angular_.invariants(),
            angular_.harmonics(),
            has_angles_};
  }

  void compute(const Pairs &pairs, std::int64_t type, Work &work, double *energies, double *gradients) const {
    const auto n_atoms = static_cast<std::int64_t>(work.atoms.size());
    const std::int64_t n_radial = radial_.n_functions();
    work.radial.pairs.clear();
    work.angular.clear();
    provide(work.radial_sums, padded_few(n_radial));
    provide(work.descriptors, n_atoms * n_descriptors_ + padded_few(n_radial));
    provide(work.by_descriptors, n_atoms * n_descriptors_ + padded_few(n_radial));
    for (std::int64_t slot = 0; slot < n_atoms; ++slot) {
      Real *q = work.descriptors.data() + slot * n_descriptors_;
      work.neighbors.gather(pairs, work.atoms[slot], n_types_, radii_[type]);
      radial_.sum(type, work.neighbors, radii_[type], work.radial, work.radial_sums.data());
      std::copy_n(work.radial_sums.data(), n_radial, q);
      if (has_angles_) angular_.sum(type, work.neighbors, radii_[type], work.angular, q + n_radial);
    }
    find_energies(type, work, energies);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot) {
      const Real *by_q = work.by_descriptors.data() + slot * n_descriptors_;
      const std::int64_t first = pairs.start[work.atoms[slot]], end = pairs.start[work.atoms[slot] + 1];
      double *to = gradients + 3 * first;
      if (work.radial.pairs.n_pairs(slot) < end - first) std::fill(to, gradients + 3 * end, 0.0);
      radial_.differentiate(type, slot, by_q, work.radial, to);
      if (has_angles_) angular_.differentiate(slot, by_q + n_radial, work.angular, to);
    }
  }

  // Energies of the chunk, and dE/dq.
  void find_energies(std::int64_t type, Work &work, double *energies) const {
    const PackedNet<Real> &packed = nets_[type];
    const auto n = static_cast<std::int64_t>(work.atoms.size());
    work.net.prepare(packed.layers, kAtoms, 0);
    work.sweeps.prepare(packed.layers, kAtoms);
    work.net.template forward<0>(work.descriptors.data(), nullptr, n);
    const std::int64_t width = work.net.width();
    for (std::int64_t slot = 0; slot < n; ++slot) {
      const Real *y = work.net.output().y.data() + slot * width;
      Real sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t h = 0; h < width; ++h) sum += y[h];
      energies[work.atoms[slot]] = static_cast<double>(sum - biases_[type]);
    }
    std::fill_n(work.sweeps.by_values(), n * width, Real(1));
    work.sweeps.sweep_values(work.net, n, {}, work.by_descriptors.data());
  }

  std::int64_t n_types_, n_descriptors_;
  bool has_angles_;
  Radial radial_;
  AngularPart<Real, Wide, Functions> angular_;
  std::vector<CutoffRadii> radii_;  // by central type, as the rest
  std::vector<PackedNet<Real>> nets_;
  std::vector<Real> biases_;  // b1
  std::vector<Real> scaler_;  // [D]
};

template <typename Real, typename Wide>
std::unique_ptr<const Evaluator> make_with(const nep::Model<Real> &model) {
  if (!model.functions[nep::kRadial].tables)
    return std::make_unique<Nep<Real, Wide, RadialPart<Real, Wide>, Expansion<Real, Wide>>>(model);
  if (model.functions[nep::kRadial].n_terms == 4)
    return std::make_unique<Nep<Real, Wide, RadialTables<Real, Wide, 4>, FunctionTables<Real, 4>>>(model);
  return std::make_unique<Nep<Real, Wide, RadialTables<Real, Wide, 6>, FunctionTables<Real, 6>>>(model);
}

template <typename Real>
std::unique_ptr<const Evaluator> make(const nep::Model<Real> &model) {
  return model.has_double_geometry ? make_with<Real, double>(model) : make_with<Real, Real>(model);
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA

PWMLFF_EVALUATOR(nep::Model)
