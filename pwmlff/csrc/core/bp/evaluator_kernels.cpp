// The evaluator of Behler-Parrinello nets, see model.hpp.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "atom_chunks.hpp"
#include "bp/model.hpp"
#include "bp/moment_jacobian.hpp"
#include "bp/moment_part.hpp"
#include "bp/neighborhood.hpp"
#include "bp/radial_part.hpp"
#include "bp/triplet_jacobian.hpp"
#include "bp/triplet_part.hpp"
#include "bp/weight_gradients.hpp"
#include "kernel.hpp"
#include "packed_net.hpp"
#include "reverse_sweeps.hpp"
#include "thread_memory.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Atoms of a chunk: enough that each weight of the net fetched serves many, few enough that what their neighbours leave
// for the derivatives stays in the outer cache.
constexpr std::int64_t kAtoms = 16;

// Of one central type.
template <typename Real, typename Wide>
struct CentralKernels {
  RadialPart<Real, Wide> radial;
  MomentPart moments;
  TripletPart<Real, Wide> triplets;
  double radial_reach, angular_reach;
  Buffer<Real> shift, factor;
  PackedNet<Real> net;

  CentralKernels(const bp::CutoffFunction &cutoff, const bp::CentralModel<Real> &model)
      : radial(cutoff, model.radial),
        moments(cutoff, model.moments),
        triplets(cutoff, model.triplets),
        radial_reach(model.radial_reach),
        angular_reach(moments.is_empty() && triplets.is_empty() ? 0.0 : model.angular_reach),
        shift(model.shift.begin(), model.shift.end()),
        factor(model.factor.begin(), model.factor.end()),
        net(NetView<Real>{model.parameters.data(), model.n_inputs(), model.widths, model.activations, false}) {}

  std::int64_t n_inputs() const { return static_cast<std::int64_t>(shift.size()); }
  // Radial and angular functions have their neighbours in common.
  bool has_one_reach() const { return radial_reach == angular_reach; }
};

// What an atom of a chunk leaves for the way back.
template <typename Real, typename Wide>
struct AtomRows {
  Neighborhood<Real, Wide> radial_near, angular_near;
  MomentPart::Near moment_near;  // in use where Real is not double
  RadialRows<Real> radial;
  MomentRows moments;
  NearRows<Real> triplets;
};

// Buffers of one thread; they grow to the largest chunk and stay.
template <typename Real, typename Wide>
struct Workspace {
  std::vector<std::int64_t> atoms;
  std::vector<AtomRows<Real, Wide>> rows;
  MomentWorkspace moments;
  TripletWorkspace<Real, Wide> triplets;
  Buffer<Real> by_distance;
  Buffer<Wide> functions;          // G [F]
  Buffer<Real> inputs, by_inputs;  // [atoms, F]
  Net<Real> net;
  ReverseSweeps<Real> sweeps;

  // of what is kept
  MomentJacobian moment_jacobian;
  TripletJacobian<Real, Wide> triplet_jacobian;
};

template <typename Real, typename Wide>
class BehlerParrinello final : public Evaluator {
 public:
  explicit BehlerParrinello(const bp::Model<Real> &model) : inputs_from_(model.inputs_from) {
    for (const bp::CentralModel<Real> &central : model.central) {
      central_.emplace_back(model.cutoff, central);
      n_kept_ = std::max(n_kept_, 4 * central.n_inputs());
    }
  }

  std::int64_t n_types() const override { return static_cast<std::int64_t>(central_.size()); }

  Overflows evaluate(const Pairs &pairs, double *energies, double *gradients, unsigned char *kept, std::int64_t first,
                     std::int64_t last) const override {
    Work &work = of_thread<Work>();
    auto *numbers = kIsTrained ? reinterpret_cast<Real *>(kept) : nullptr;
    for (std::int64_t type = 0; type < n_types(); ++type)
      for_chunks(pairs, type, first, last, kAtoms, work.atoms, [&] {
        if (!numbers) return compute(pairs, type, work, energies, gradients);
        describe_keeping(pairs, type, work, numbers);
        compute_kept(pairs, type, work, numbers, energies, gradients);
      });
    return {};
  }

  bool keeps_as(const Evaluator &other) const override {
    const auto *same = dynamic_cast<const BehlerParrinello *>(&other);
    return kIsTrained && same && same->inputs_from_ == inputs_from_;
  }

  void evaluate_kept(const Pairs &pairs, double *energies, double *gradients, const unsigned char *kept,
                     std::int64_t first, std::int64_t last) const override {
    Work &work = of_thread<Work>();
    const auto *numbers = reinterpret_cast<const Real *>(kept);
    for (std::int64_t type = 0; type < n_types(); ++type)
      for_chunks(pairs, type, first, last, kAtoms, work.atoms,
                 [&] { compute_kept(pairs, type, work, numbers, energies, gradients); });
  }

  std::int64_t n_weights() const override {
    std::int64_t sum = 0;
    if constexpr (kIsTrained)
      for (const TrainedNet<Real> &net : trained()) sum += net.n_weights();
    return sum;
  }

  std::int64_t kept_size() const override { return kIsTrained ? n_kept_ * static_cast<std::int64_t>(sizeof(Real)) : 0; }

  void differentiate(const Pairs &pairs, const Cotangents &cotangents, const unsigned char *kept, double *rows,
                     std::int64_t first, std::int64_t last) const override {
    if constexpr (kIsTrained) {
      of_thread<WeightGradients<Real>>().run(trained(), pairs, cotangents, reinterpret_cast<const Real *>(kept),
                                             n_kept_, rows, first, last);
    }
  }

 private:
  using Work = Workspace<Real, Wide>;
  using Near = Neighborhood<Real, Wide>;
  static constexpr bool kIsTrained = std::is_same_v<Wide, double>;  // the geometry of training
  static constexpr bool kIsDouble = std::is_same_v<Near, MomentPart::Near>;

  std::vector<TrainedNet<Real>> trained() const {
    std::vector<TrainedNet<Real>> nets;
    for (const CentralKernels<Real, Wide> &own : central_)
      nets.push_back({&own.net, own.shift.data(), own.factor.data()});
    return nets;
  }

  // All of these work on the chunk in `work.atoms`, whose atoms are of the type.
  void compute(const Pairs &pairs, std::int64_t type, Work &work, double *energies, double *gradients) const {
    const CentralKernels<Real, Wide> &central = central_[type];
    const auto n_atoms = static_cast<std::int64_t>(work.atoms.size());
    const std::int64_t n_inputs = central.n_inputs();
    if (work.rows.empty()) work.rows.resize(kAtoms);
    provide(work.inputs, n_atoms * n_inputs);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot)
      describe(pairs, work.atoms[slot], central, work.rows[slot], work, work.inputs.data() + slot * n_inputs);
    find_energies(central, work, energies);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot) {
      AtomRows<Real, Wide> &rows = work.rows[slot];
      Real *by_g = work.by_inputs.data() + slot * n_inputs;
      for (std::int64_t f = 0; f < n_inputs; ++f) by_g[f] *= central.factor[f];
      double *to = gradients + 3 * pairs.start[work.atoms[slot]];
      std::fill(to, gradients + 3 * pairs.start[work.atoms[slot] + 1], 0.0);
      central.radial.differentiate(rows.radial_near, rows.radial, by_g, work.by_distance, to);
      if (!central.moments.is_empty())
        central.moments.differentiate(moment_near(central, rows), rows.moments, by_g, work.moments, to);
      if (!central.triplets.is_empty())
        central.triplets.differentiate(angular_near(central, rows), rows.triplets, by_g, work.triplets, to);
    }
  }

  void gather(const Pairs &pairs, std::int64_t atom, const CentralKernels<Real, Wide> &central,
              AtomRows<Real, Wide> &rows) const {
    rows.radial_near.gather(pairs, atom, n_types(), central.radial_reach);
    const bool has_moments = !central.moments.is_empty(), has_triplets = !central.triplets.is_empty();
    const double reach = central.angular_reach;
    if (!central.has_one_reach() && (has_triplets || (has_moments && kIsDouble)))
      rows.angular_near.gather(pairs, atom, n_types(), reach);
    if (has_moments && !kIsDouble) rows.moment_near.gather(pairs, atom, n_types(), reach);
  }

  static const Near &angular_near(const CentralKernels<Real, Wide> &central, const AtomRows<Real, Wide> &rows) {
    return central.has_one_reach() ? rows.radial_near : rows.angular_near;
  }
  static const MomentPart::Near &moment_near(const CentralKernels<Real, Wide> &central,
                                             const AtomRows<Real, Wide> &rows) {
    if constexpr (kIsDouble)
      return angular_near(central, rows);
    else
      return rows.moment_near;
  }

  // The inputs of the net.
  void describe(const Pairs &pairs, std::int64_t atom, const CentralKernels<Real, Wide> &central,
                AtomRows<Real, Wide> &rows, Work &work, Real *inputs) const {
    work.functions.assign(central.n_inputs(), Wide(0));
    Wide *g = work.functions.data();
    gather(pairs, atom, central, rows);
    central.radial.sum(rows.radial_near, rows.radial, g);
    if (!central.moments.is_empty()) central.moments.sum(moment_near(central, rows), rows.moments, work.moments, g);
    if (!central.triplets.is_empty())
      central.triplets.sum(angular_near(central, rows), rows.triplets, work.triplets, g);
    scale(central, work, inputs);
  }

  static void scale(const CentralKernels<Real, Wide> &central, const Work &work, Real *inputs) {
    for (std::int64_t f = 0; f < central.n_inputs(); ++f)
      inputs[f] = static_cast<Real>((work.functions[f] - central.shift[f]) * central.factor[f]);
  }

  void describe_keeping(const Pairs &pairs, std::int64_t type, Work &work, Real *kept) const {
    if (work.rows.empty()) work.rows.resize(kAtoms);
    for (const std::int64_t atom : work.atoms)
      if (pairs.start[atom] < pairs.start[atom + 1])
        describe_keeping(pairs, atom, central_[type], work, kept + pairs.start[atom] * n_kept_);
  }

  // What is kept of the pairs of one atom.
  void describe_keeping(const Pairs &pairs, std::int64_t atom, const CentralKernels<Real, Wide> &central, Work &work,
                        Real *kept) const {
    const std::int64_t n_inputs = central.n_inputs(), begin = pairs.start[atom], end = pairs.start[atom + 1];
    AtomRows<Real, Wide> &rows = work.rows.front();
    for (std::int64_t e = 0; e < end - begin; ++e) std::fill_n(kept + e * n_kept_, 4 * n_inputs, Real(0));
    const auto add = [&](const auto &near, std::int64_t neighbor, std::int64_t input, const auto *derivative) {
      Real *to = kept + near.place[neighbor] * n_kept_ + input;
      for (int c = 0; c < 3; ++c) to[(1 + c) * n_inputs] += central.factor[input] * derivative[c];
    };
    work.functions.assign(n_inputs, Wide(0));
    Wide *g = work.functions.data();
    gather(pairs, atom, central, rows);
    const Near &radial = rows.radial_near, &angular = angular_near(central, rows);
    central.radial.sum(radial, rows.radial, g);
    central.radial.for_derivatives(radial, rows.radial,
                                   [&](std::int64_t neighbor, std::int64_t input, Real by_distance) {
                                     Real derivative[3];
                                     for (int c = 0; c < 3; ++c) derivative[c] = by_distance * radial.unit[c][neighbor];
                                     add(radial, neighbor, input, derivative);
                                   });
    if (!central.moments.is_empty())
      work.moment_jacobian.add(central.moments, moment_near(central, rows), g,
                               [&](std::int64_t neighbor, std::int64_t input, const double *derivative) {
                                 add(moment_near(central, rows), neighbor, input, derivative);
                               });
    if (!central.triplets.is_empty())
      work.triplet_jacobian.add(central.triplets, angular, g,
                                [&](std::int64_t neighbor, std::int64_t input, const Real *derivative) {
                                  add(angular, neighbor, input, derivative);
                                });
    scale(central, work, kept);
  }

  void compute_kept(const Pairs &pairs, std::int64_t type, Work &work, const Real *kept, double *energies,
                    double *gradients) const {
    const CentralKernels<Real, Wide> &central = central_[type];
    const auto n_atoms = static_cast<std::int64_t>(work.atoms.size());
    const std::int64_t n_inputs = central.n_inputs();
    provide(work.inputs, n_atoms * n_inputs);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot) {
      const std::int64_t begin = pairs.start[work.atoms[slot]], end = pairs.start[work.atoms[slot] + 1];
      Real *inputs = work.inputs.data() + slot * n_inputs;
      if (begin < end)
        std::copy_n(kept + begin * n_kept_, n_inputs, inputs);
      else
        describe_alone(central, work, inputs);
    }
    find_energies(central, work, energies);
    for (std::int64_t slot = 0; slot < n_atoms; ++slot) {
      const Real *by_inputs = work.by_inputs.data() + slot * n_inputs;
      for (std::int64_t e = pairs.start[work.atoms[slot]]; e < pairs.start[work.atoms[slot] + 1]; ++e)
        write_products(by_inputs, kept + e * n_kept_ + n_inputs, n_inputs, gradients + 3 * e);
    }
  }

  // Those of one row with three, [n].
  static void write_products(const Real *__restrict row, const Real *__restrict rows, std::int64_t n, double *to) {
    Real x = 0, y = 0, z = 0;
#pragma omp simd reduction(+ : x, y, z)
    for (std::int64_t f = 0; f < n; ++f) {
      x += row[f] * rows[f];
      y += row[f] * rows[n + f];
      z += row[f] * rows[2 * n + f];
    }
    to[0] = x, to[1] = y, to[2] = z;
  }

  // The inputs of an atom without neighbours.
  static void describe_alone(const CentralKernels<Real, Wide> &central, Work &work, Real *inputs) {
    work.functions.assign(central.n_inputs(), Wide(0));
    scale(central, work, inputs);
  }

  // Energies of the chunk, and their derivatives by the inputs.
  void find_energies(const CentralKernels<Real, Wide> &central, Work &work, double *energies) const {
    const auto n = static_cast<std::int64_t>(work.atoms.size());
    provide(work.by_inputs, n * central.n_inputs());
    work.net.prepare(central.net.layers, kAtoms, 0);
    work.sweeps.prepare(central.net.layers, kAtoms);
    work.net.template forward<0>(work.inputs.data(), nullptr, n);
    const std::int64_t width = work.net.width();
    std::fill_n(work.sweeps.by_values(), n * width, Real(0));
    for (std::int64_t slot = 0; slot < n; ++slot) {
      energies[work.atoms[slot]] = static_cast<double>(work.net.output().y[slot * width]);
      work.sweeps.by_values()[slot * width] = Real(1);
    }
    work.sweeps.sweep_values(work.net, n, {}, work.by_inputs.data());
  }

  std::vector<CentralKernels<Real, Wide>> central_;
  std::int64_t n_kept_ = 0;  // numbers of a pair, see weight_gradients.hpp
  std::string inputs_from_;  // see bp::Model
};

template <typename Real>
std::unique_ptr<const Evaluator> make(const bp::Model<Real> &model) {
  if (model.has_double_geometry) return std::make_unique<BehlerParrinello<Real, double>>(model);
  return std::make_unique<BehlerParrinello<Real, Real>>(model);
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA

PWMLFF_EVALUATOR(bp::Model)
