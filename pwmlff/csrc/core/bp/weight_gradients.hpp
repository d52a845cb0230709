// Gradients by the weights of sums over energies and pair gradients, for the atoms of a chunk after another.
//
// A sum over the pair gradients, sum_ij c_ij . g_ij, is the derivative E' of the energy where the pair vectors change
// as c. The symmetry functions have no weights, so that all which is left of a direction is the change of the net's
// inputs, the derivatives that the evaluation has kept times c; the sweeps of reverse_sweeps.hpp do the rest.
//
// Of a pair is kept [4, F]: the inputs of the net of its central atom in the first pair of an atom, then their
// derivatives by the pair vector. Rows of gradients hold for one central type after another, for one layer after
// another, weight [out, in] and bias [out].
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "atom_chunks.hpp"
#include "buffer.hpp"
#include "evaluator.hpp"
#include "packed_net.hpp"
#include "reverse_sweeps.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// What the gradients need of a central type, kept by its evaluator.
template <typename Real>
struct TrainedNet {
  const PackedNet<Real> *net;
  const Real *shift, *factor;  // [F]

  // Without the scales that NetView has.
  std::int64_t n_weights() const {
    std::int64_t sum = 0;
    for (const Layer<Real> &layer : net->layers) sum += layer.n_out * (layer.n_in + 1);
    return sum;
  }
};

template <typename Real>
class WeightGradients {
 public:
  // `nets` by central type; `kept` has n_kept numbers of a pair. Works in the buffers of the thread: one call at a
  // time.
  void run(const std::vector<TrainedNet<Real>> &nets, const Pairs &pairs, const Cotangents &cotangents,
           const Real *kept, std::int64_t n_kept, double *rows, std::int64_t first, std::int64_t last) {
    pairs_ = &pairs;
    cotangents_ = &cotangents;
    kept_ = kept;
    n_kept_ = n_kept;
    n_weights_ = 0;
    for (const TrainedNet<Real> &net : nets) n_weights_ += net.n_weights();
    std::fill_n(rows, cotangents.n_sums * n_weights_, 0.0);
    for (std::size_t type = 0; type < nets.size(); ++type) {
      own_ = &nets[type];
      net_ = own_->net;
      begin_type();
      for_chunks(pairs, static_cast<std::int64_t>(type), first, last, kAtoms, atoms_, [&] { compute(); });
      finish_type(rows);
      rows += own_->n_weights();
    }
  }

 private:
  static constexpr std::int64_t kAtoms = 64;  // of a chunk: each weight fetched serves them all

  std::int64_t n_atoms() const { return static_cast<std::int64_t>(atoms_.size()); }
  std::int64_t n_inputs() const { return net_->layers.front().n_in; }
  std::int64_t n_parameters() const { return net_->n_parameters; }

  // The gradients by the weights of one central type, as they are summed.
  void begin_type() {
    by_net_.assign(cotangents_->n_sums * n_parameters(), Real(0));
    gradients_.resize(cotangents_->n_sums);
    for (std::int64_t k = 0; k < cotangents_->n_sums; ++k)
      gradients_[k].prepare(net_->layers, by_net_.data() + k * n_parameters());
  }

  void compute() {
    const std::int64_t n = n_atoms(), n_directed = cotangents_->n_directed,
                       n_energies = cotangents_->n_sums - n_directed;
    provide(inputs_, n * n_inputs());
    provide(factors_, cotangents_->n_sums * n);
    for (std::int64_t slot = 0; slot < n; ++slot) take_inputs(slot);
    for (std::int64_t k = 0; k < cotangents_->n_sums; ++k)
      for (std::int64_t slot = 0; slot < n; ++slot)
        factors_[k * n + slot] = static_cast<Real>(cotangents_->by_energies[k * cotangents_->n_atoms + atoms_[slot]]);
    passes_.prepare(net_->layers, kAtoms, 1);
    sweeps_.prepare(net_->layers, kAtoms);
    passes_.template forward<0>(inputs_.data(), nullptr, n);
    fill_outputs(sweeps_.by_values(), nullptr);
    weighted_.resize(n_energies);
    for (std::int64_t k = 0; k < n_energies; ++k)
      weighted_[k] = {factors_.data() + (n_directed + k) * n, &gradients_[n_directed + k]};
    sweeps_.sweep_values(passes_, n, weighted_, nullptr);
    for (std::int64_t k = 0; k < n_directed; ++k) {
      take_changes(k);
      passes_.forward_tangents(changes_.data(), n);
      fill_outputs(sweeps_.by_tangents(), factors_.data() + k * n);
      sweeps_.sweep_tangents(passes_, n, nullptr, gradients_[k], nullptr);
    }
  }

  // Of an atom without pairs the inputs are those of functions that are 0.
  void take_inputs(std::int64_t slot) {
    const std::int64_t e = pairs_->start[atoms_[slot]];
    Real *to = inputs_.data() + slot * n_inputs();
    if (e < pairs_->start[atoms_[slot] + 1]) {
      std::copy_n(kept_ + e * n_kept_, n_inputs(), to);
      return;
    }
    for (std::int64_t f = 0; f < n_inputs(); ++f) to[f] = -own_->shift[f] * own_->factor[f];
  }

  // The changes of the inputs along one direction.
  void take_changes(std::int64_t k) {
    const double *directions = cotangents_->by_gradients + k * 3 * cotangents_->n_pairs;
    changes_.assign(n_atoms() * n_inputs(), Real(0));
    for (std::int64_t slot = 0; slot < n_atoms(); ++slot) {
      Real *__restrict to = changes_.data() + slot * n_inputs();
      for (std::int64_t e = pairs_->start[atoms_[slot]]; e < pairs_->start[atoms_[slot] + 1]; ++e) {
        const double *d = directions + 3 * e;
        if (d[0] == 0 && d[1] == 0 && d[2] == 0) continue;
        const Real x = static_cast<Real>(d[0]), y = static_cast<Real>(d[1]), z = static_cast<Real>(d[2]);
        const Real *__restrict by_x = kept_ + e * n_kept_ + n_inputs(), *__restrict by_y = by_x + n_inputs(),
                               *__restrict by_z = by_y + n_inputs();
#pragma omp simd
        for (std::int64_t f = 0; f < n_inputs(); ++f) to[f] += x * by_x[f] + y * by_y[f] + z * by_z[f];
      }
    }
  }

  // The factors [atoms, width] of the net's output, its first column; 1 where `factors` is null.
  void fill_outputs(Real *to, const Real *factors) const {
    const std::int64_t width = passes_.width();
    std::fill_n(to, n_atoms() * width, Real(0));
    for (std::int64_t slot = 0; slot < n_atoms(); ++slot) to[slot * width] = factors ? factors[slot] : Real(1);
  }

  // Into the rows, without scales.
  void finish_type(double *rows) {
    for (std::int64_t k = 0; k < cotangents_->n_sums; ++k) {
      gradients_[k].finish();
      const Real *from = by_net_.data() + k * n_parameters();
      double *to = rows + k * n_weights_;
      for (const Layer<Real> &layer : net_->layers) {
        to = std::copy_n(from, layer.n_out * (layer.n_in + 1), to);
        from += layer.n_out * (layer.n_in + 2);
      }
    }
  }

  const Pairs *pairs_ = nullptr;
  const Cotangents *cotangents_ = nullptr;
  const Real *kept_ = nullptr;
  std::int64_t n_kept_ = 0, n_weights_ = 0;
  const TrainedNet<Real> *own_ = nullptr;  // of the central type in hand
  const PackedNet<Real> *net_ = nullptr;
  std::vector<std::int64_t> atoms_;
  Net<Real> passes_;
  ReverseSweeps<Real> sweeps_;
  std::vector<NetGradient<Real>> gradients_;
  std::vector<typename ReverseSweeps<Real>::Weighted> weighted_;
  Buffer<Real> inputs_, changes_, factors_;  // [atoms, F], likewise; [sums, atoms]
  Buffer<Real> by_net_;                      // of each sum
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
