// Gradients by the weights of sums over energies and pair gradients, for the atoms of a chunk after another.
//
// A sum over the pair gradients, sum_ij c_ij . g_ij, is the derivative E' of the energy where the pair vectors change
// as c. So it is carried forward through the model once, beside the values,
//
//   s', R'                                             of the environment
//   A' = sum R' (x) G + R (x) G'(s) s'
//   D' = A'^T A_< + A^T A'_<
//   E' = fitting'(D) D'
//
// and the sweeps of reverse_sweeps.hpp go back through both nets. With U = dE/dA and V = dE'/dA, the outputs of the
// embedding net get dE/dG = R . U and dE'/dG = R' . U + R . V, all that they need besides being R . U times s' (for
// dE'/dG'). G and G' for A are those that the evaluation has kept; the embedding net is evaluated again on the way
// back, since its layers would take too much memory.
//
// Rows of gradients hold the embedding nets [K, P], then the fitting nets [T, Q] as in description.hpp.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "atom_chunks.hpp"
#include "dp/chunk.hpp"
#include "dp/descriptor.hpp"
#include "dp/model.hpp"
#include "evaluator.hpp"
#include "packed_net.hpp"
#include "reverse_sweeps.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// What the gradients need of a model, kept by its evaluator.
template <typename Real>
struct TrainedNets {
  const std::vector<Environment> &environments;
  const std::vector<PackedNet<Real>> &embedding, &fitting;  // the latter for D as it is stored, see descriptor.hpp
  const std::vector<Buffer<Real>> &outputs;                 // w and c
  Descriptor<Real> descriptor;
  bool has_net_per_pair;

  std::int64_t n_types() const { return static_cast<std::int64_t>(fitting.size()); }
  std::int64_t embedding_size() const { return static_cast<std::int64_t>(embedding.front().parameters.size()); }
  std::int64_t hidden_size() const { return static_cast<std::int64_t>(fitting.front().parameters.size()); }
  std::int64_t fitting_size() const { return hidden_size() + static_cast<std::int64_t>(outputs.front().size()); }
  std::int64_t n_weights() const {
    return static_cast<std::int64_t>(embedding.size()) * embedding_size() + n_types() * fitting_size();
  }
};

template <typename Real>
class WeightGradients {
 public:
  // Works in the buffers of the thread: one call at a time.
  void run(const TrainedNets<Real> &nets, const Pairs &pairs, const Cotangents &cotangents, const Real *kept,
           double *rows, std::int64_t first, std::int64_t last) {
    nets_ = &nets;
    kept_ = kept;
    cotangents_ = &cotangents;
    n_directed_ = cotangents.n_directed;
    Real *results = prepare_results(rows);
    prepare_gradients(results);
    for (std::int64_t type = 0; type < nets.n_types(); ++type)
      for_chunks(pairs, type, first, last, kAtoms, chunk_.atoms, [&] { compute(pairs, type); });
    finish(results, rows);
  }

 private:
  static constexpr std::int64_t kAtoms = 64;  // of a chunk: each weight of the fitting net fetched serves them all
  static constexpr std::int64_t kBlock = 32;  // pairs that go through an embedding net at once

  // A row of the result is a sum of gradients by all nets.
  struct Row {
    std::vector<NetGradient<Real>> embedding, fitting;
    Real *outputs;  // [T], each Q - 1 - widths.back() behind the begin of its net
  };

  // In the result itself where that has the nets' precision.
  Real *prepare_results(double *rows) {
    const std::int64_t size = cotangents_->n_sums * nets_->n_weights();
    if constexpr (std::is_same_v<Real, double>) {
      std::fill(rows, rows + size, 0.0);
      return rows;
    } else {
      results_.assign(size, Real(0));
      return results_.data();
    }
  }

  void prepare_gradients(Real *results) {
    rows_.resize(cotangents_->n_sums);
    for (std::int64_t k = 0; k < cotangents_->n_sums; ++k) {
      Real *next = results + k * nets_->n_weights();
      rows_[k].embedding.resize(nets_->embedding.size());
      for (std::size_t net = 0; net < nets_->embedding.size(); ++net, next += nets_->embedding_size())
        rows_[k].embedding[net].prepare(nets_->embedding[net].layers, next);
      rows_[k].outputs = next + nets_->hidden_size();
      rows_[k].fitting.resize(nets_->fitting.size());
      for (std::size_t net = 0; net < nets_->fitting.size(); ++net, next += nets_->fitting_size())
        rows_[k].fitting[net].prepare(nets_->fitting[net].layers, next);
    }
  }

  void finish(const Real *results, double *rows) {
    for (std::int64_t k = 0; k < cotangents_->n_sums; ++k) {
      for (NetGradient<Real> &gradient : rows_[k].embedding) gradient.finish();
      for (NetGradient<Real> &gradient : rows_[k].fitting) {
        gradient.finish();
        reorder_first_layer(gradient.layers.front());
      }
    }
    if (static_cast<const void *>(results) != rows)
      std::copy(results, results + cotangents_->n_sums * nets_->n_weights(), rows);
  }

  // From D as it is stored to D by features.
  void reorder_first_layer(LayerGradient<Real> &layer) {
    const std::int64_t n_features = nets_->descriptor.n_features, n_axis = nets_->descriptor.n_axis;
    for (std::int64_t j = 0; j < layer.n_out; ++j) {
      Real *row = layer.result + j * layer.n_in;
      stored_row_.assign(row, row + layer.n_in);
      for (std::int64_t m = 0; m < n_features; ++m)
        for (std::int64_t q = 0; q < n_axis; ++q) row[m * n_axis + q] = stored_row_[q * n_features + m];
    }
  }

  void compute(const Pairs &pairs, std::int64_t type) {
    const Environment &environment = nets_->environments[type];
    chunk_.gather(pairs, nets_->n_types());
    chunk_.compute_rows(environment);
    find_tangents(environment);
    sum_features();
    differentiate_fitting(type);
    differentiate_embedding(type);
  }

  // The arrays of a direction follow each other; without any direction there is one set of what needs none:
  // of a pair R, R' and s' R; of an atom A and A', V and U.
  std::int64_t n_sets() const { return std::max<std::int64_t>(n_directed_, 1); }
  std::int64_t n_factors() const { return 12 * n_sets(); }
  std::int64_t sums_size() const { return 8 * n_sets() * stride(); }
  Real *sums(std::int64_t slot, std::int64_t set) { return sums_.data() + slot * sums_size() + 8 * set * stride(); }
  Real *by_sums(std::int64_t slot, std::int64_t set) {
    return by_sums_.data() + slot * sums_size() + 8 * set * stride();
  }
  std::int64_t stride() const { return nets_->descriptor.stride; }
  double by_energy(std::int64_t k, std::int64_t slot) const {
    return cotangents_->by_energies[k * cotangents_->n_atoms + chunk_.atoms[slot]];
  }

  // R, and R' and s' along each direction: with t = s / r, d the change of the pair vector, n its unit vector,
  // the change of s is s_slope (d . n), and that of s n is (s_slope - t) (d . n) n + t d.
  void find_tangents(const Environment &environment) {
    const std::int64_t n = chunk_.n_pairs(), width = n_factors();
    provide(factors_, n * width);
    provide(lengths_, n * n_sets());
    for (std::int64_t p = 0; p < n; ++p)
      for (std::int64_t k = 0; k < n_sets(); ++k)
        for (int c = 0; c < 4; ++c) factors_[p * width + 12 * k + c] = static_cast<Real>(chunk_.row[c][p]);
    double factor[4];
    for (int c = 0; c < 4; ++c) factor[c] = 1.0 / (environment.scale[c] * environment.n_neighbors);
    for (std::int64_t k = 0; k < n_directed_; ++k) {
      const double *directions = cotangents_->by_gradients + k * 3 * cotangents_->n_pairs;
      Real *lengths = lengths_.data() + k * n;
      for (std::int64_t p = 0; p < n; ++p) {
        const double *d = directions + 3 * chunk_.pair[p];
        const double unit[3] = {chunk_.direction[0][p], chunk_.direction[1][p], chunk_.direction[2][p]};
        const double along = d[0] * unit[0] + d[1] * unit[1] + d[2] * unit[2];
        const double t = chunk_.s[p] * chunk_.inverse_distance[p], by_s = chunk_.s_slope[p] * along;
        const double radial = (chunk_.s_slope[p] - t) * along;
        Real *row = factors_.data() + p * width + 12 * k, *tangent = row + 4, *slope = row + 8;
        lengths[p] = static_cast<Real>(by_s / environment.scale[0]);
        tangent[0] = static_cast<Real>(factor[0] * by_s);
        for (int c = 0; c < 3; ++c) tangent[c + 1] = static_cast<Real>(factor[c + 1] * (radial * unit[c] + t * d[c]));
        for (int c = 0; c < 4; ++c) slope[c] = lengths[p] * row[c];
      }
    }
  }

  // Calls visit(net, p0, n) for each block of pairs, once the net has been evaluated on them with its derivative by s.
  template <typename Visit>
  void for_blocks(std::int64_t type, Visit visit) {
    static const Buffer<Real> ones(kBlock, Real(1));
    provide(input_, kBlock);
    for (std::int64_t kind = 0; kind < nets_->n_types(); ++kind) {
      const std::int64_t begin = chunk_.kind_start[kind], end = chunk_.kind_start[kind + 1];
      if (begin == end) continue;
      const std::int64_t index = nets_->has_net_per_pair ? type * nets_->n_types() + kind : kind;
      const PackedNet<Real> &packed = nets_->embedding[index];
      net_.prepare(packed.layers, kBlock, 1);
      sweeps_.prepare(packed.layers, kBlock);
      for (std::int64_t p0 = begin; p0 < end; p0 += kBlock) {
        const std::int64_t n = std::min(kBlock, end - p0);
        for (std::int64_t p = 0; p < n; ++p) input_[p] = static_cast<Real>(chunk_.input[p0 + p]);
        if (n_directed_ > 0)
          net_.template forward<1>(input_.data(), ones.data(), n);
        else
          net_.template forward<0>(input_.data(), nullptr, n);
        visit(index, p0, n);
      }
    }
  }

  // Calls visit(slot, p, n) for the pairs of each atom in a block.
  template <typename Visit>
  void for_atoms(std::int64_t p0, std::int64_t n, Visit visit) const {
    for (std::int64_t p = p0; p < p0 + n;) {
      std::int64_t end = p + 1;
      while (end < p0 + n && chunk_.slot[end] == chunk_.slot[p]) ++end;
      visit(chunk_.slot[p], p, end - p);
      p = end;
    }
  }

  // A and A'
  void sum_features() {
    const std::int64_t width = n_factors();
    sums_.assign(chunk_.atoms.size() * sums_size(), Real(0));
    features_.assign(2 * kBlock * stride(), Real(0));
    const std::int64_t n_features = nets_->descriptor.n_features;
    for (std::int64_t p0 = 0; p0 < chunk_.n_pairs(); p0 += kBlock) {
      const std::int64_t n = std::min(kBlock, chunk_.n_pairs() - p0);
      Real *y = features_.data(), *y1 = y + kBlock * stride();
      for (std::int64_t p = 0; p < n; ++p) {
        const Real *from = kept_ + chunk_.pair[p0 + p] * 2 * n_features;
        std::copy(from, from + n_features, y + p * stride());
        std::copy(from + n_features, from + 2 * n_features, y1 + p * stride());
      }
      for_atoms(p0, n, [&](std::int64_t slot, std::int64_t p, std::int64_t n_pairs) {
        const auto add = [&](std::int64_t n_rows, const Real *rows, const Real *features, Real *to) {
          multiply<Real>(n_rows, stride(), n_pairs, rows, 1, width, features + (p - p0) * stride(), stride(), to,
                         stride(), true);
        };
        const Real *rows = factors_.data() + p * width;
        if (n_directed_ == 0) add(4, rows, y, sums(slot, 0));
        for (std::int64_t k = 0; k < n_directed_; ++k) {
          add(8, rows + 12 * k, y, sums(slot, k));
          add(4, rows + 12 * k + 8, y1, sums(slot, k) + 4 * stride());
        }
      });
    }
  }

  // The fitting net's weights; U and V from its inputs.
  void differentiate_fitting(std::int64_t type) {
    const Descriptor<Real> &descriptor = nets_->descriptor;
    const PackedNet<Real> &packed = nets_->fitting[type];
    const std::int64_t n = static_cast<std::int64_t>(chunk_.atoms.size()), length = descriptor.length();
    for (Buffer<Real> *buffer : {&d_, &d1_, &by_d_, &by_d1_}) provide(*buffer, n * length + kLanes<Real>);
    provide(by_sums_, n * sums_size());
    for (std::int64_t slot = 0; slot < n; ++slot) descriptor.describe(sums(slot, 0), d_.data() + slot * length);
    net_.prepare(packed.layers, kAtoms, 1);
    sweeps_.prepare(packed.layers, kAtoms);
    net_.template forward<0>(d_.data(), nullptr, n);
    spread_output(type, sweeps_.by_values(), [](std::int64_t) { return Real(1); });
    std::vector<Weighted> &energies = energies_of_slots();
    for (std::int64_t k = n_directed_; k < cotangents_->n_sums; ++k) {
      energies[k - n_directed_].gradient = &rows_[k].fitting[type];
      add_output(type, k, nullptr);
    }
    sweeps_.sweep_values(net_, n, energies, by_d_.data());
    for (std::int64_t slot = 0; slot < n; ++slot)
      for (std::int64_t k = 0; k < n_sets(); ++k)
        descriptor.template differentiate<false>(sums(slot, 0), by_d_.data() + slot * length,
                                                 by_sums(slot, k) + 4 * stride());
    for (std::int64_t k = 0; k < n_directed_; ++k) {
      for (std::int64_t slot = 0; slot < n; ++slot)
        descriptor.describe_tangent(sums(slot, k), sums(slot, k) + 4 * stride(), d1_.data() + slot * length);
      net_.forward_tangents(d1_.data(), n);
      spread_output(type, sweeps_.by_tangents(),
                    [&](std::int64_t slot) { return static_cast<Real>(by_energy(k, slot)); });
      add_output(type, k, net_.output().y1.data());
      sweeps_.sweep_tangents(net_, n, nullptr, rows_[k].fitting[type], by_d1_.data());
      for (std::int64_t slot = 0; slot < n; ++slot) {
        const Real *a = sums(slot, k), *a1 = a + 4 * stride();
        descriptor.template differentiate<false>(a, by_d1_.data() + slot * length, by_sums(slot, k));
        descriptor.template differentiate<true>(a1, by_d_.data() + slot * length, by_sums(slot, k));
      }
    }
  }

  // Fills factors [atoms, width] of the fitting net's hidden output with w times a number of the atom.
  template <typename Factor>
  void spread_output(std::int64_t type, Real *factors, Factor factor) const {
    const Buffer<Real> &w = nets_->outputs[type];
    const std::int64_t width = net_.width(), n_last = net_.n_features();
    for (std::size_t slot = 0; slot < chunk_.atoms.size(); ++slot, factors += width) {
      const Real scale = factor(static_cast<std::int64_t>(slot));
      for (std::int64_t m = 0; m < n_last; ++m) factors[m] = scale * w[m];
      std::fill(factors + n_last, factors + width, Real(0));
    }
  }

  // Adds to row k the gradients by w and c: e (y, 1), and y' where there is one.
  void add_output(std::int64_t type, std::int64_t k, const Real *y1) {
    const std::int64_t width = net_.width(), n_last = net_.n_features();
    Real *to = rows_[k].outputs + type * nets_->fitting_size();
    const Real *y = net_.output().y.data();
    for (std::size_t slot = 0; slot < chunk_.atoms.size(); ++slot, y += width) {
      const Real factor = static_cast<Real>(by_energy(k, static_cast<std::int64_t>(slot)));
      for (std::int64_t m = 0; m < n_last; ++m) to[m] += factor * y[m];
      to[n_last] += factor;
    }
    for (std::size_t slot = 0; y1 && slot < chunk_.atoms.size(); ++slot, y1 += width)
      for (std::int64_t m = 0; m < n_last; ++m) to[m] += y1[m];
  }

  using Weighted = typename ReverseSweeps<Real>::Weighted;

  // The sums of energies alone, with the factor of each atom.
  std::vector<Weighted> &energies_of_slots() {
    const std::int64_t n = static_cast<std::int64_t>(chunk_.atoms.size());
    const std::int64_t n_energies = cotangents_->n_sums - n_directed_;
    provide(energy_factors_, n_energies * n);
    weighted_.resize(n_energies);
    for (std::int64_t k = 0; k < n_energies; ++k) {
      Real *factors = energy_factors_.data() + k * n;
      for (std::int64_t slot = 0; slot < n; ++slot) factors[slot] = static_cast<Real>(by_energy(n_directed_ + k, slot));
      weighted_[k].factors = factors;
    }
    return weighted_;
  }

  // The embedding nets' weights.
  void differentiate_embedding(std::int64_t type) {
    const std::int64_t width = n_factors();
    const std::int64_t n_energies = cotangents_->n_sums - n_directed_;
    const std::int64_t n_atoms = static_cast<std::int64_t>(chunk_.atoms.size());
    energies_of_slots();
    provide(pair_factors_, n_energies * kBlock);
    // out [pairs, stride] = R U, or for a direction R V + R' U
    const auto spread = [&](std::int64_t p0, std::int64_t n, std::int64_t n_rows, std::int64_t set, Real *out) {
      for_atoms(p0, n, [&](std::int64_t slot, std::int64_t p, std::int64_t n_pairs) {
        const Real *sums = by_sums(slot, set) + (8 - n_rows) * stride();
        multiply<Real>(n_pairs, stride(), n_rows, factors_.data() + p * width + 12 * set, width, 1, sums, stride(),
                       out + (p - p0) * stride(), stride(), false);
      });
    };
    for_blocks(type, [&](std::int64_t index, std::int64_t p0, std::int64_t n) {
      for (std::int64_t k = 0; k < n_energies; ++k) {
        Real *factors = pair_factors_.data() + k * kBlock;
        for (std::int64_t p = 0; p < n; ++p) factors[p] = energy_factors_[k * n_atoms + chunk_.slot[p0 + p]];
        weighted_[k] = {factors, &rows_[n_directed_ + k].embedding[index]};
      }
      spread(p0, n, 4, 0, sweeps_.by_values());
      sweeps_.sweep_values(net_, n, weighted_, nullptr);
      for (std::int64_t k = 0; k < n_directed_; ++k) {
        spread(p0, n, 8, k, sweeps_.by_tangents());
        const Real *lengths = lengths_.data() + k * chunk_.n_pairs() + p0;
        sweeps_.sweep_tangents(net_, n, lengths, rows_[k].embedding[index], nullptr);
      }
    });
  }

  const TrainedNets<Real> *nets_ = nullptr;
  const Cotangents *cotangents_ = nullptr;
  const Real *kept_ = nullptr;  // G and dG/ds of all pairs [E, 2, M]
  std::int64_t n_directed_ = 0;
  Chunk<Real, double> chunk_;
  Net<Real> net_;
  ReverseSweeps<Real> sweeps_;
  std::vector<Row> rows_;
  std::vector<Weighted> weighted_;
  Buffer<Real> results_, stored_row_;
  Buffer<Real> factors_, lengths_;              // of pairs, see n_factors; s' of each direction [n_directed, pairs]
  Buffer<Real> input_, features_;               // of a block; G and dG/ds [2, kBlock, stride]
  Buffer<Real> sums_, by_sums_;                 // of atoms, see sums_size
  Buffer<Real> d_, d1_, by_d_, by_d1_;          // D, D', dE/dD, dE'/dD [atoms, M2 M]
  Buffer<Real> energy_factors_, pair_factors_;  // e of atoms and of the pairs of a block
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
