// Kernels of dp.hpp, compiled once per instruction set in the namespace PWMLFF_ISA.
#include "dp_kernels.hpp"

#include <algorithm>
#include <cmath>

#include "contraction.hpp"
#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Atoms of a chunk: enough that each weight of the fitting net fetched serves many, few enough that the features of
// their pairs, which the derivatives need again, stay in the outer cache.
constexpr std::int64_t kAtoms = 32;
constexpr std::int64_t kBlock = 32;  // pairs that go through an embedding net at once

// A net packed for the products, with the activation it uses.
template <typename Real>
struct PackedNet {
  std::vector<Layer<Real>> layers;
  ActivationKind activation;
};

// What one pair of a chunk leaves between the passes.
struct PairGeometry {
  std::int64_t pair;                    // its place in the input
  std::int64_t slot;                    // of its central atom in the chunk
  double inverse_distance, s, s_slope;  // 1/r, s, ds/dr
};

// Buffers of one thread; they grow to the largest chunk and stay.
template <typename Real>
struct Workspace {
  std::vector<std::int64_t> atoms;               // of the chunk
  std::vector<PairGeometry> pairs;               // sorted by neighbour type, then atom
  std::vector<std::int64_t> kind_start;          // [T + 1]
  Buffer<Real> s, rows;                          // [pairs], [pairs, 4]: input of the net, scaled rows
  Buffer<Real> features, slopes;                 // [pairs, M]: G and dG/ds
  Buffer<Real> sums, sums_gradient;              // A and dE/dA, [atoms, 4, M]
  Buffer<Real> descriptor, descriptor_gradient;  // D and dE/dD, [atoms, M * M2]
  Net<Real> embedding, fitting;
  NetGradient<Real> no_gradient;
};

template <typename Real>
class Evaluator final : public DpEvaluator {
 public:
  explicit Evaluator(const DpModel<Real> &model)
      : n_types_(model.n_types),
        n_axis_(model.n_axis),
        n_features_(model.embedding.front().widths.back()),
        has_net_per_pair_(model.has_net_per_pair),
        inner_(model.inner),
        outer_(model.outer),
        mean_(model.mean, model.mean + model.n_types),
        scale_(model.scale, model.scale + 4 * model.n_types),
        n_neighbors_(model.n_neighbors) {
    for (const NetView<Real> &net : model.embedding) embedding_.push_back(packed(net));
    for (const NetView<Real> &net : model.fitting) {
      fitting_.push_back(packed(net));
      const Real *tail = net.parameters + net_parameter_count(net.n_in, net.widths);
      outputs_.emplace_back(tail, tail + net.widths.back() + 1);
    }
  }

  void evaluate(const DpPairs &pairs, double *energies, double *gradients, std::int64_t first,
                std::int64_t last) const override {
    static thread_local Workspace<Real> work;
    for (std::int64_t type = 0; type < n_types_; ++type) {
      work.atoms.clear();
      for (std::int64_t i = first; i < last; ++i) {
        if (pairs.atom_types[i] != type) continue;
        work.atoms.push_back(i);
        if (static_cast<std::int64_t>(work.atoms.size()) == kAtoms) flush(pairs, type, work, energies, gradients);
      }
      flush(pairs, type, work, energies, gradients);
    }
  }

 private:
  static PackedNet<Real> packed(const NetView<Real> &net) {
    PackedNet<Real> result;
    pack(net, result.layers);
    result.activation = net.activation;
    return result;
  }

  const PackedNet<Real> &embedding_of(std::int64_t central, std::int64_t neighbor) const {
    return embedding_[has_net_per_pair_ ? central * n_types_ + neighbor : neighbor];
  }

  void flush(const DpPairs &pairs, std::int64_t type, Workspace<Real> &work, double *energies,
             double *gradients) const {
    if (work.atoms.empty()) return;
    gather(pairs, type, work);
    sum_features(type, work);
    describe(work);
    fit(type, work, energies);
    differentiate_descriptor(work);
    differentiate_pairs(pairs, type, work, gradients);
    work.atoms.clear();
  }

  // Sorts the chunk's pairs by neighbour type and computes their rows.
  void gather(const DpPairs &pairs, std::int64_t type, Workspace<Real> &work) const {
    work.kind_start.assign(n_types_ + 1, 0);
    for (const std::int64_t i : work.atoms)
      for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) ++work.kind_start[pairs.pair_types[e] + 1];
    for (std::int64_t t = 0; t < n_types_; ++t) work.kind_start[t + 1] += work.kind_start[t];
    const std::int64_t n_pairs = work.kind_start[n_types_];
    if (static_cast<std::int64_t>(work.pairs.size()) < n_pairs) {
      work.pairs.resize(n_pairs);
      work.s.resize(n_pairs);
      work.rows.resize(4 * n_pairs);
    }
    const double *scale = scale_.data() + 4 * type;
    const double mean = mean_[type];
    std::vector<std::int64_t> &next = work.kind_start;  // shifted back below
    for (std::size_t slot = 0; slot < work.atoms.size(); ++slot) {
      const std::int64_t i = work.atoms[slot];
      for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) {
        const std::int64_t place = next[pairs.pair_types[e]]++;
        const double *r = pairs.vectors + 3 * e;
        PairGeometry &pair = work.pairs[place];
        pair.pair = e;
        pair.slot = static_cast<std::int64_t>(slot);
        const double squared = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
        const double distance = std::sqrt(squared);
        pair.inverse_distance = 1.0 / distance;
        const double u = std::min(1.0, std::max(0.0, (distance - inner_) / (outer_ - inner_)));
        const double value = 1.0 + u * u * u * (u * (15.0 - 6.0 * u) - 10.0);
        const double slope = -30.0 * u * u * (1.0 - u) * (1.0 - u) / (outer_ - inner_);
        pair.s = value * pair.inverse_distance;
        pair.s_slope = (slope - pair.s) * pair.inverse_distance;
        work.s[place] = static_cast<Real>((pair.s - mean) / scale[0]);
        Real *row = work.rows.data() + 4 * place;
        row[0] = static_cast<Real>(pair.s / (scale[0] * n_neighbors_));
        for (int c = 0; c < 3; ++c)
          row[c + 1] = static_cast<Real>(pair.s * r[c] * pair.inverse_distance / (scale[c + 1] * n_neighbors_));
      }
    }
    for (std::int64_t t = n_types_; t > 0; --t) next[t] = next[t - 1];
    next[0] = 0;
  }

  template <int Order>
  static void evaluate_net(const PackedNet<Real> &packed, Net<Real> &net, const Real *s, const Real *ones,
                           std::int64_t n) {
    if (packed.activation == ActivationKind::tanh)
      net.template forward<Tanh, Order>(s, ones, n);
    else
      net.template forward<Sigmoid, Order>(s, ones, n);
  }

  // Evaluates the embedding nets and their slopes for all pairs of the chunk, and sums A.
  void sum_features(std::int64_t type, Workspace<Real> &work) const {
    static const Buffer<Real> ones(kBlock, Real(1));
    work.sums.assign(work.atoms.size() * 4 * n_features_, Real(0));
    const auto size = static_cast<std::size_t>(work.kind_start[n_types_] * n_features_);
    if (work.features.size() < size) {
      work.features.resize(size);
      work.slopes.resize(size);
    }
    Net<Real> &net = work.embedding;
    for (std::int64_t neighbor = 0; neighbor < n_types_; ++neighbor) {
      const std::int64_t begin = work.kind_start[neighbor], end = work.kind_start[neighbor + 1];
      if (begin == end) continue;
      const PackedNet<Real> &packed = embedding_of(type, neighbor);
      net.prepare(packed.layers, kBlock, 1);
      for (std::int64_t p0 = begin; p0 < end; p0 += kBlock) {
        const std::int64_t n = std::min(kBlock, end - p0);
        evaluate_net<1>(packed, net, work.s.data() + p0, ones.data(), n);
        for (std::int64_t k = 0; k < n; ++k) {
          const std::int64_t place = p0 + k;
          const Real *y = net.output().y.data() + k * net.width(), *y1 = net.output().y1.data() + k * net.width();
          std::copy(y, y + n_features_, work.features.data() + place * n_features_);
          std::copy(y1, y1 + n_features_, work.slopes.data() + place * n_features_);
          add_outer(work.rows.data() + 4 * place, y, n_features_,
                    work.sums.data() + work.pairs[place].slot * 4 * n_features_);
        }
      }
    }
  }

  // D[m, q] = sum_c A[c, m] A[c, q]
  void describe(Workspace<Real> &work) const {
    const std::int64_t length = n_features_ * n_axis_;
    work.descriptor.resize(std::max<std::size_t>(work.descriptor.size(), work.atoms.size() * length));
    for (std::size_t slot = 0; slot < work.atoms.size(); ++slot) {
      const Real *a = work.sums.data() + slot * 4 * n_features_;
      Real *__restrict d = work.descriptor.data() + slot * length;
      for (std::int64_t m = 0; m < n_features_; ++m) combine_columns(a, m, d + m * n_axis_);
    }
  }

  // out[q] = sum_c a[c, m] a[c, q] for the axis features q
  void combine_columns(const Real *__restrict a, std::int64_t m, Real *__restrict out) const {
    const Real *__restrict a1 = a + n_features_, *__restrict a2 = a1 + n_features_, *__restrict a3 = a2 + n_features_;
    const Real r0 = a[m], r1 = a1[m], r2 = a2[m], r3 = a3[m];
#pragma omp simd
    for (std::int64_t q = 0; q < n_axis_; ++q) out[q] = r0 * a[q] + r1 * a1[q] + r2 * a2[q] + r3 * a3[q];
  }

  void fit(std::int64_t type, Workspace<Real> &work, double *energies) const {
    const PackedNet<Real> &packed = fitting_[type];
    const Buffer<Real> &output = outputs_[type];
    const auto n = static_cast<std::int64_t>(work.atoms.size());
    Net<Real> &net = work.fitting;
    net.prepare(packed.layers, kAtoms, 0);
    evaluate_net<0>(packed, net, work.descriptor.data(), nullptr, n);
    const std::int64_t n_last = net.n_features(), width = net.width();
    std::fill(net.bar.begin(), net.bar.begin() + n * width, Real(0));
    for (std::int64_t slot = 0; slot < n; ++slot) {
      energies[work.atoms[slot]] =
          static_cast<double>(dot(net.output().y.data() + slot * width, output.data(), n_last) + output[n_last]);
      std::copy(output.begin(), output.begin() + n_last, net.bar.begin() + slot * width);
    }
    work.descriptor_gradient.resize(std::max(work.descriptor_gradient.size(), work.descriptor.size()));
    if (packed.activation == ActivationKind::tanh)
      net.template reverse<Tanh, 0>(n, work.no_gradient, work.descriptor_gradient.data());
    else
      net.template reverse<Sigmoid, 0>(n, work.no_gradient, work.descriptor_gradient.data());
  }

  // dE/dA[c, m] = sum_q dE/dD[m, q] A[c, q], and for axis features also sum_m' dE/dD[m', m] A[c, m']
  void differentiate_descriptor(Workspace<Real> &work) const {
    const std::int64_t length = n_features_ * n_axis_;
    work.sums_gradient.resize(std::max(work.sums_gradient.size(), work.sums.size()));
    for (std::size_t slot = 0; slot < work.atoms.size(); ++slot) {
      const Real *a = work.sums.data() + slot * 4 * n_features_;
      const Real *g = work.descriptor_gradient.data() + slot * length;
      Real *u = work.sums_gradient.data() + slot * 4 * n_features_;
      std::fill(u, u + 4 * n_features_, Real(0));
      for (std::int64_t m = 0; m < n_features_; ++m) {
        const Real *__restrict row = g + m * n_axis_;
        for (int c = 0; c < 4; ++c) {
          const Real *__restrict a_c = a + c * n_features_;
          Real *__restrict u_c = u + c * n_features_;
          const Real factor = a_c[m];
          Real sum = 0;
#pragma omp simd reduction(+ : sum)
          for (std::int64_t q = 0; q < n_axis_; ++q) {
            sum += row[q] * a_c[q];
            u_c[q] += factor * row[q];
          }
          u_c[m] += sum;
        }
      }
    }
  }

  void differentiate_pairs(const DpPairs &pairs, std::int64_t type, Workspace<Real> &work, double *gradients) const {
    const double *scale = scale_.data() + 4 * type;
    static thread_local Buffer<Real> factors;
    factors.resize(n_features_);
    for (std::int64_t place = 0; place < work.kind_start[n_types_]; ++place) {
      const Real *y = work.features.data() + place * n_features_, *y1 = work.slopes.data() + place * n_features_;
      const PairGeometry &pair = work.pairs[place];
      const Real *u = work.sums_gradient.data() + pair.slot * 4 * n_features_;
      Real by_row[4];
      project(u, y, n_features_, Real(1), by_row);
      combine_rows(work.rows.data() + 4 * place, u, n_features_, factors.data());
      const double by_input = dot(factors.data(), y1, n_features_);

      // rows and input depend on r through s, and the three angular rows on the direction
      const double *r = pairs.vectors + 3 * pair.pair;
      double angular[3], along = 0.0;
      for (int c = 0; c < 3; ++c) {
        angular[c] = static_cast<double>(by_row[c + 1]) / (scale[c + 1] * n_neighbors_);
        along += angular[c] * r[c] * pair.inverse_distance;
      }
      const double by_s = (by_input + static_cast<double>(by_row[0]) / n_neighbors_) / scale[0] + along;
      double *gradient = gradients + 3 * pair.pair;
      for (int c = 0; c < 3; ++c) {
        const double direction = r[c] * pair.inverse_distance;
        gradient[c] =
            by_s * pair.s_slope * direction + pair.s * pair.inverse_distance * (angular[c] - along * direction);
      }
    }
  }

  std::int64_t n_types_, n_axis_, n_features_;
  bool has_net_per_pair_;
  double inner_, outer_;
  std::vector<double> mean_, scale_;
  double n_neighbors_;
  std::vector<PackedNet<Real>> embedding_, fitting_;
  std::vector<Buffer<Real>> outputs_;  // w and c of each fitting net
};

}  // namespace

template <typename Real>
std::unique_ptr<DpEvaluator> make_dp_evaluator(const DpModel<Real> &model) {
  return std::make_unique<Evaluator<Real>>(model);
}

template std::unique_ptr<DpEvaluator> make_dp_evaluator<double>(const DpModel<double> &);
template std::unique_ptr<DpEvaluator> make_dp_evaluator<float>(const DpModel<float> &);

}  // namespace pwmlff::PWMLFF_ISA
