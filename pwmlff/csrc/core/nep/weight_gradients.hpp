// Gradients by the weights of sums over energies and pair gradients, for the atoms of a chunk after another.
//
// A sum over the pair gradients, sum_ij c_ij . g_ij, is the derivative E' of the energy where the pair vectors change
// as c. So q' is carried forward beside q, and the net gives
//
//   E' = net'(q) q',  dE/dq  and, of S = e E + E',  dS/dq
//
// by the sweeps of reverse_sweeps.hpp; dE/dq is also dS/dq'. From both follow the derivatives by the coefficients of
// the radial functions. Geometry and sums are float64, the net is of type Real.
//
// Rows of gradients hold `radial`, `angular` and `net` in the order of description.hpp.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "atom_chunks.hpp"
#include "evaluator.hpp"
#include "nep/angular_tangents.hpp"
#include "nep/model.hpp"
#include "nep/radial_tangents.hpp"
#include "packed_net.hpp"
#include "reverse_sweeps.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// What the gradients need of a model, kept by its evaluator.
template <typename Real>
struct TrainedNep {
  const std::vector<CutoffRadii> &radii;     // by central type
  const std::vector<PackedNet<Real>> &nets;  // likewise, see `packed` in evaluator_kernels.cpp
  const std::vector<Real> &scaler;
  const Expansion<Real, double> &radial, &angular;
  const AngularInvariants &invariants;
  const HarmonicFunctions<double> &harmonics;
  bool has_angles;

  std::int64_t n_types() const { return static_cast<std::int64_t>(nets.size()); }
  std::int64_t n_descriptors() const { return static_cast<std::int64_t>(scaler.size()); }
  std::int64_t n_coefficients(const Expansion<Real, double> &expansion) const {
    return n_types() * expansion.n_functions() * expansion.n_basis();  // of one central type
  }
  std::int64_t net_size() const { return nets.front().n_parameters + 1; }
  std::int64_t n_weights() const { return n_types() * (n_coefficients(radial) + n_coefficients(angular) + net_size()); }
};

template <typename Real>
class WeightGradients {
 public:
  // Works in the buffers of the thread: one call at a time.
  void run(const TrainedNep<Real> &model, const Pairs &pairs, const Cotangents &cotangents, double *rows,
           std::int64_t first, std::int64_t last) {
    model_ = &model;
    cotangents_ = &cotangents;
    std::fill_n(rows, cotangents.n_sums * model.n_weights(), 0.0);
    for (std::int64_t type = 0; type < model.n_types(); ++type) {
      bool is_begun = false;
      for_chunks(pairs, type, first, last, largest_chunk(), atoms_, [&] {
        if (!is_begun) begin_type(type);
        is_begun = true;
        compute(pairs, type);
      });
      if (is_begun) finish_type(type, rows);
    }
  }

 private:
  static constexpr std::int64_t kAtoms = 16;  // of a chunk, at most

  // What a chunk leaves for the way back should stay in the outer cache; each direction adds about as much as the pairs
  // themselves.
  std::int64_t largest_chunk() const { return std::max<std::int64_t>(4, std::min(kAtoms, 32 / (1 + n_directed()))); }

  std::int64_t n_sums() const { return cotangents_->n_sums; }
  std::int64_t n_directed() const { return cotangents_->n_directed; }
  std::int64_t n_atoms() const { return static_cast<std::int64_t>(atoms_.size()); }
  // A row of descriptors has room for a vector behind it.
  std::int64_t row_size() const { return model_->n_descriptors() + padded_few(model_->radial.n_functions()); }
  double by_energy(std::int64_t k, std::int64_t slot) const {
    return cotangents_->by_energies[k * cotangents_->n_atoms + atoms_[slot]];
  }
  std::int64_t padded_size(const Expansion<Real, double> &expansion) const {
    return model_->n_types() * expansion.n_basis() * expansion.stride();
  }

  // The gradients by the weights of one central type, as they are summed.
  void begin_type(std::int64_t type) {
    by_radial_.assign(n_sums() * padded_size(model_->radial), 0.0);
    by_angular_.assign(n_sums() * padded_size(model_->angular), 0.0);
    by_net_.assign(n_sums() * model_->net_size(), Real(0));
    net_gradients_.resize(n_sums());
    for (std::int64_t k = 0; k < n_sums(); ++k)
      net_gradients_[k].prepare(model_->nets[type].layers, by_net_.data() + k * model_->net_size());
  }

  void compute(const Pairs &pairs, std::int64_t type) {
    describe(pairs, type);
    differentiate_net(type);
    const std::int64_t n_radial = model_->radial.n_functions();
    for (std::int64_t slot = 0; slot < n_atoms(); ++slot) {
      const double *by_q = by_descriptors_.data() + slot * row_size();
      const bool has_angles = model_->has_angles && angular_.begin_atom(slot, by_q + n_radial);
      for (std::int64_t k = 0; k < n_sums(); ++k) {
        double *by_radial = by_radial_.data() + k * padded_size(model_->radial);
        double *by_angular = by_angular_.data() + k * padded_size(model_->angular);
        const double *own = by_descriptors_.data() + ((1 + k) * kAtoms + slot) * row_size();
        radial_.collect(slot, own, k < n_directed() ? by_q : nullptr, k, by_radial);
        if (!has_angles) continue;
        if (k < n_directed())
          angular_.collect(k, own + n_radial, by_angular);
        else
          angular_.collect_energy(by_energy(k, slot), by_angular);
      }
    }
  }

  // q and its changes, [atoms, 1 + n_directed, row_size]
  void describe(const Pairs &pairs, std::int64_t type) {
    const std::int64_t n_sets = 1 + n_directed(), n_radial = model_->radial.n_functions();
    const std::int64_t direction_size = 3 * cotangents_->n_pairs;
    radial_.begin(model_->radial, n_directed());
    angular_.begin(model_->angular, model_->invariants, model_->harmonics, n_directed());
    provide(descriptors_, kAtoms * n_sets * row_size());
    for (std::int64_t slot = 0; slot < n_atoms(); ++slot) {
      const std::int64_t first = pairs.start[atoms_[slot]];
      const double *directions = cotangents_->by_gradients + 3 * first;
      double *q = descriptors_.data() + slot * n_sets * row_size();
      neighbors_.gather(pairs, atoms_[slot], model_->n_types(), model_->radii[type]);
      radial_.add_atom(type, neighbors_, model_->radii[type], directions, direction_size, q, row_size());
      if (model_->has_angles)
        angular_.add_atom(type, neighbors_, model_->radii[type], directions, direction_size, q + n_radial, row_size());
    }
  }

  // One set of descriptors as the net takes it, [atoms, D]; the net goes on to read from it.
  const Real *inputs(std::int64_t set, Buffer<Real> &to) {
    const std::int64_t n = model_->n_descriptors(), n_sets = 1 + n_directed();
    provide(to, kAtoms * n);
    for (std::int64_t slot = 0; slot < n_atoms(); ++slot)
      std::copy_n(descriptors_.data() + (slot * n_sets + set) * row_size(), n, to.data() + slot * n);
    return to.data();
  }

  // dE/dq, then dS/dq of each sum, [1 + n_sums, kAtoms, row_size]
  void differentiate_net(std::int64_t type) {
    const PackedNet<Real> &packed = model_->nets[type];
    const std::int64_t n = n_atoms(), n_energies = n_sums() - n_directed();
    provide(by_descriptors_, (1 + n_sums()) * kAtoms * row_size());
    provide(by_inputs_, kAtoms * model_->n_descriptors());
    provide(factors_, n_energies * n);
    net_.prepare(packed.layers, kAtoms, 1);
    sweeps_.prepare(packed.layers, kAtoms);
    net_.template forward<0>(inputs(0, inputs_), nullptr, n);
    const std::int64_t width = net_.width();
    std::fill_n(sweeps_.by_values(), n * width, Real(1));
    weighted_.resize(n_energies);
    for (std::int64_t k = 0; k < n_energies; ++k) {
      Real *factors = factors_.data() + k * n;
      for (std::int64_t slot = 0; slot < n; ++slot)
        factors[slot] = static_cast<Real>(by_energy(n_directed() + k, slot));
      weighted_[k] = {factors, &net_gradients_[n_directed() + k]};
    }
    sweeps_.sweep_values(net_, n, weighted_, by_inputs_.data());
    take_by_inputs(0, [](std::int64_t) { return 1.0; });
    for (std::int64_t k = n_directed(); k < n_sums(); ++k)
      take_by_inputs(1 + k, [&](std::int64_t slot) { return by_energy(k, slot); });
    for (std::int64_t k = 0; k < n_directed(); ++k) {
      net_.forward_tangents(inputs(1 + k, input_changes_), n);
      for (std::int64_t slot = 0; slot < n; ++slot)
        std::fill_n(sweeps_.by_tangents() + slot * width, width, static_cast<Real>(by_energy(k, slot)));
      sweeps_.sweep_tangents(net_, n, nullptr, net_gradients_[k], by_inputs_.data());
      take_by_inputs(1 + k, [](std::int64_t) { return 1.0; });
    }
    for (std::int64_t k = 0; k < n_sums(); ++k)
      for (std::int64_t slot = 0; slot < n; ++slot)
        by_net_[(k + 1) * model_->net_size() - 1] -= static_cast<Real>(by_energy(k, slot));
  }

  template <typename Factor>
  void take_by_inputs(std::int64_t set, Factor factor) {
    const std::int64_t size = model_->n_descriptors();
    for (std::int64_t slot = 0; slot < n_atoms(); ++slot) {
      const Real *from = by_inputs_.data() + slot * size;
      double *to = by_descriptors_.data() + (set * kAtoms + slot) * row_size();
      const double scale = factor(slot);
      for (std::int64_t d = 0; d < size; ++d) to[d] = scale * from[d];
    }
  }

  // Into the rows: from C_nk to c_nk, and from the weights of the packed net to those of the model.
  void finish_type(std::int64_t type, double *rows) {
    const std::int64_t n_types = model_->n_types(), size = model_->net_size();
    const std::int64_t n_radial = model_->n_coefficients(model_->radial);
    const std::int64_t n_angular = model_->n_coefficients(model_->angular);
    for (std::int64_t k = 0; k < n_sums(); ++k) {
      double *row = rows + k * model_->n_weights();
      spread(model_->radial, by_radial_.data() + k * padded_size(model_->radial), row + type * n_radial);
      row += n_types * n_radial;
      spread(model_->angular, by_angular_.data() + k * padded_size(model_->angular), row + type * n_angular);
      row += n_types * n_angular + type * size;
      net_gradients_[k].finish();
      const Real *from = by_net_.data() + k * size;
      const std::int64_t n_descriptors = model_->n_descriptors();
      const std::int64_t n_neurons = (size - 1) / (n_descriptors + 2), n_first = n_neurons * n_descriptors;
      std::copy_n(from, size, row);
      for (std::int64_t h = 0; h < n_neurons; ++h)
        for (std::int64_t d = 0; d < n_descriptors; ++d) row[h * n_descriptors + d] *= model_->scaler[d];
      for (std::int64_t h = 0; h < n_neurons; ++h) row[n_first + h] *= -1;
    }
  }

  // [T, n_functions, n_basis] from [T, n_basis, stride]
  void spread(const Expansion<Real, double> &expansion, const double *by_c, double *to) const {
    const std::int64_t n_basis = expansion.n_basis(), stride = expansion.stride();
    for (std::int64_t type = 0; type < model_->n_types(); ++type, by_c += n_basis * stride)
      for (std::int64_t n = 0; n < expansion.n_functions(); ++n, to += n_basis) {
        to[0] = by_c[n];
        for (std::int64_t k = 1; k < n_basis; ++k) to[k] = 0.5 * (by_c[n] + by_c[k * stride + n]);
      }
  }

  using Weighted = typename ReverseSweeps<Real>::Weighted;

  const TrainedNep<Real> *model_ = nullptr;
  const Cotangents *cotangents_ = nullptr;
  std::vector<std::int64_t> atoms_;
  Neighborhood<double> neighbors_;
  RadialTangents<Real> radial_;
  AngularTangents<Real> angular_;
  Net<Real> net_;
  ReverseSweeps<Real> sweeps_;
  std::vector<NetGradient<Real>> net_gradients_;
  std::vector<Weighted> weighted_;
  Buffer<double> descriptors_, by_descriptors_;
  Buffer<Real> inputs_, input_changes_, by_inputs_, factors_;
  Buffer<double> by_radial_, by_angular_;  // of each sum, see padded_size
  Buffer<Real> by_net_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
