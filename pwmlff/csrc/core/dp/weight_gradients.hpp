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
// embedding net get
//
//   of a sum e E   e R . U to G          of E'   R' . U + R . V to G, s' R . U to G'
//
// Where the net is a series (net_series.hpp) these are summed over pairs before they go back through the net.
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
#include "dp/net_features.hpp"
#include "dp/net_series.hpp"
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
  std::int64_t embedding_size() const { return embedding.front().n_parameters; }
  std::int64_t hidden_size() const { return fitting.front().n_parameters; }
  std::int64_t fitting_size() const { return hidden_size() + static_cast<std::int64_t>(outputs.front().size()); }
  std::int64_t n_weights() const {
    return static_cast<std::int64_t>(embedding.size()) * embedding_size() + n_types() * fitting_size();
  }
};

template <typename Real>
class WeightGradients {
 public:
  // Works in the buffers of the thread: one call at a time.
  void run(const TrainedNets<Real> &nets, const Pairs &pairs, const Cotangents &cotangents, double *rows,
           std::int64_t first, std::int64_t last) {
    nets_ = &nets;
    cotangents_ = &cotangents;
    n_directed_ = cotangents.n_directed;
    Real *results = prepare_results(rows);
    prepare_gradients(results);
    pair_features_.prepare(nets.embedding,
                           inputs_of_nets(pairs, nets.environments, nets.has_net_per_pair, first, last));
    prepare_series();
    for (std::int64_t type = 0; type < nets.n_types(); ++type)
      for_chunks(pairs, type, first, last, kAtoms, chunk_.atoms, [&] { compute(pairs, type); });
    differentiate_series();
    finish(results, rows);
  }

 private:
  static constexpr std::int64_t kAtoms = 64;  // of a chunk: each weight of the fitting net fetched serves them all
  static constexpr std::int64_t kBlock = PairFeatures<Real>::kBlock;  // pairs of one embedding net worked on at once
  static constexpr std::int64_t kTerms = NetSeries<Real>::kTerms;
  static constexpr std::int64_t kSamples = NetValues<Real>::kBlock;  // that go through an embedding net at once

  // A row of the result is a sum of gradients by all nets.
  struct Row {
    std::vector<NetGradient<Real>> embedding, fitting;
    std::vector<Buffer<Real>> by_series;   // factors of each embedding net's series [panels, terms, width]
    Buffer<Real> by_features, by_samples;  // of G, and of G' where the sum is directed [kBlock or samples, width]
    Real *outputs;                         // [T], each Q - 1 - widths.back() behind the begin of its net
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
    find_factors(environment);
    sum_features(type);
    differentiate_fitting(type);
    differentiate_embedding(type);
  }

  // The arrays of an atom follow each other: A and U, then A' and V of each direction.
  std::int64_t stride() const { return nets_->descriptor.stride; }
  std::int64_t sums_size() const { return 4 * (1 + n_directed_) * stride(); }
  Real *a(std::int64_t slot) { return sums_.data() + slot * sums_size(); }
  Real *u(std::int64_t slot) { return by_sums_.data() + slot * sums_size(); }
  Real *a1(std::int64_t slot, std::int64_t k) { return a(slot) + 4 * (1 + k) * stride(); }
  Real *v(std::int64_t slot, std::int64_t k) { return u(slot) + 4 * (1 + k) * stride(); }
  // So do those of a pair: R, then R' and s' R of each direction, then e R of each sum of energies.
  std::int64_t n_energies() const { return cotangents_->n_sums - n_directed_; }
  std::int64_t n_factors() const { return 4 + 8 * n_directed_ + 4 * n_energies(); }
  std::int64_t place_in_factors(std::int64_t k) const {
    return k < n_directed_ ? 4 + 8 * k : 4 + 8 * n_directed_ + 4 * (k - n_directed_);
  }
  // Length of a row of factors of features.
  std::int64_t width(std::int64_t k) const { return k < n_directed_ ? 2 * stride() : stride(); }
  std::int64_t net_index(std::int64_t type, std::int64_t kind) const {
    return nets_->has_net_per_pair ? type * nets_->n_types() + kind : kind;
  }
  double by_energy(std::int64_t k, std::int64_t slot) const {
    return cotangents_->by_energies[k * cotangents_->n_atoms + chunk_.atoms[slot]];
  }

  // With t = s / r, d the change of the pair vector and n its unit vector, the change of s is s_slope (d . n), and that
  // of s n is (s_slope - t) (d . n) n + t d.
  void find_factors(const Environment &environment) {
    const std::int64_t n = chunk_.n_pairs(), size = n_factors();
    provide(factors_, n * size);
    double scale[4];
    for (int c = 0; c < 4; ++c) scale[c] = 1.0 / (environment.scale[c] * environment.n_neighbors);
    const double inverse_scale = 1.0 / environment.scale[0];
    for (std::int64_t p = 0; p < n; ++p) {
      Real *to = factors_.data() + p * size, *row = to;
      for (int c = 0; c < 4; ++c) row[c] = static_cast<Real>(chunk_.row[c][p]);
      const double unit[3] = {chunk_.direction[0][p], chunk_.direction[1][p], chunk_.direction[2][p]};
      const double t = chunk_.s[p] * chunk_.inverse_distance[p], slope = chunk_.s_slope[p];
      to += 4;
      for (std::int64_t k = 0; k < n_directed_; ++k, to += 8) {
        const double *d = cotangents_->by_gradients + 3 * (k * cotangents_->n_pairs + chunk_.pair[p]);
        const double along = d[0] * unit[0] + d[1] * unit[1] + d[2] * unit[2], radial = (slope - t) * along;
        to[0] = static_cast<Real>(scale[0] * slope * along);
        for (int c = 0; c < 3; ++c) to[c + 1] = static_cast<Real>(scale[c + 1] * (radial * unit[c] + t * d[c]));
        for (int c = 0; c < 4; ++c) to[4 + c] = static_cast<Real>(slope * along * inverse_scale) * row[c];
      }
      for (std::int64_t k = n_directed_; k < cotangents_->n_sums; ++k, to += 4)
        for (int c = 0; c < 4; ++c) to[c] = static_cast<Real>(by_energy(k, chunk_.slot[p])) * row[c];
    }
  }

  // Calls visit(net, p0, n) for each block of pairs.
  template <typename Visit>
  void for_blocks(std::int64_t type, Visit visit) const {
    for (std::int64_t kind = 0; kind < nets_->n_types(); ++kind) {
      const std::int64_t end = chunk_.kind_start[kind + 1];
      for (std::int64_t p0 = chunk_.kind_start[kind]; p0 < end; p0 += kBlock)
        visit(net_index(type, kind), p0, std::min(kBlock, end - p0));
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
  void sum_features(std::int64_t type) {
    const std::int64_t row = 2 * stride();
    sums_.assign(chunk_.atoms.size() * sums_size(), Real(0));
    provide(features_, kBlock * row);
    for_blocks(type, [&](std::int64_t net, std::int64_t p0, std::int64_t n) {
      pair_features_.evaluate(net, chunk_.input.data() + p0, n, features_.data());
      for_atoms(p0, n, [&](std::int64_t slot, std::int64_t p, std::int64_t n_pairs) {
        const Real *factors = factors_.data() + p * n_factors(), *y = features_.data() + (p - p0) * row;
        const auto add = [&](const Real *rows, const Real *features, Real *to) {
          multiply<Real>(4, stride(), n_pairs, rows, 1, n_factors(), features, row, to, stride(), true);
        };
        add(factors, y, a(slot));
        for (std::int64_t k = 0; k < n_directed_; ++k) {
          const Real *tangents = factors + place_in_factors(k);
          add(tangents, y, a1(slot, k));
          add(tangents + 4, y + stride(), a1(slot, k));
        }
      });
    });
  }

  // The fitting net's weights; U and V from its inputs.
  void differentiate_fitting(std::int64_t type) {
    const Descriptor<Real> &descriptor = nets_->descriptor;
    const PackedNet<Real> &packed = nets_->fitting[type];
    const std::int64_t n = static_cast<std::int64_t>(chunk_.atoms.size()), length = descriptor.length();
    for (Buffer<Real> *buffer : {&d_, &d1_, &by_d_, &by_d1_}) provide(*buffer, n * length + kLanes<Real>);
    provide(by_sums_, n * sums_size());
    for (std::int64_t slot = 0; slot < n; ++slot) descriptor.describe(a(slot), d_.data() + slot * length);
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
      descriptor.template differentiate<false>(a(slot), by_d_.data() + slot * length, u(slot));
    for (std::int64_t k = 0; k < n_directed_; ++k) {
      for (std::int64_t slot = 0; slot < n; ++slot)
        descriptor.describe_tangent(a(slot), a1(slot, k), d1_.data() + slot * length);
      net_.forward_tangents(d1_.data(), n);
      spread_output(type, sweeps_.by_tangents(),
                    [&](std::int64_t slot) { return static_cast<Real>(by_energy(k, slot)); });
      add_output(type, k, net_.output().y1.data());
      sweeps_.sweep_tangents(net_, n, nullptr, rows_[k].fitting[type], by_d1_.data());
      for (std::int64_t slot = 0; slot < n; ++slot) {
        descriptor.template differentiate<false>(a(slot), by_d1_.data() + slot * length, v(slot, k));
        descriptor.template differentiate<true>(a1(slot, k), by_d_.data() + slot * length, v(slot, k));
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
    provide(energy_factors_, n_energies() * n);
    weighted_.resize(n_energies());
    for (std::int64_t k = 0; k < n_energies(); ++k) {
      Real *factors = energy_factors_.data() + k * n;
      for (std::int64_t slot = 0; slot < n; ++slot) factors[slot] = static_cast<Real>(by_energy(n_directed_ + k, slot));
      weighted_[k].factors = factors;
    }
    return weighted_;
  }

  void prepare_series() {
    const auto n_nets = static_cast<std::int64_t>(nets_->embedding.size());
    for (std::int64_t k = 0; k < cotangents_->n_sums; ++k) {
      provide(rows_[k].by_features, kBlock * width(k));
      rows_[k].by_series.resize(n_nets);
      for (std::int64_t net = 0; net < n_nets; ++net)
        rows_[k].by_series[net].assign(pair_features_.series(net).n_panels() * kTerms * width(k), Real(0));
    }
  }

  // The embedding nets' weights, those of series in `differentiate_series`.
  void differentiate_embedding(std::int64_t type) {
    for_blocks(type, [&](std::int64_t net, std::int64_t p0, std::int64_t n) {
      for_atoms(p0, n, [&](std::int64_t slot, std::int64_t p, std::int64_t n_pairs) {
        for (std::int64_t k = 0; k < cotangents_->n_sums; ++k) {
          Real *to = rows_[k].by_features.data() + (p - p0) * width(k);
          const Real *factors = factors_.data() + p * n_factors(), *own = factors + place_in_factors(k);
          const auto spread = [&](const Real *rows, const Real *by_sums, Real *out, bool accumulate) {
            multiply<Real>(n_pairs, stride(), 4, rows, n_factors(), 1, by_sums, stride(), out, width(k), accumulate);
          };
          spread(own, u(slot), to, false);
          if (k >= n_directed_) continue;
          spread(factors, v(slot, k), to, true);
          spread(own + 4, u(slot), to + stride(), false);
        }
      });
      const double *inputs = chunk_.input.data() + p0;
      if (!pair_features_.series(net).exists())
        return sweep(net, inputs, n, [&](Row &row) { return row.by_features.data(); });
      SortedInputs<Real> &sorted = pair_features_.sorted(net, inputs, n);
      for (std::int64_t k = 0; k < cotangents_->n_sums; ++k)
        sorted.collect(rows_[k].by_features.data(), width(k), rows_[k].by_series[net].data());
    });
  }

  void differentiate_series() {
    for (std::int64_t net = 0; net < static_cast<std::int64_t>(nets_->embedding.size()); ++net) {
      const NetSeries<Real> &series = pair_features_.series(net);
      if (!series.exists()) continue;
      for (std::int64_t k = 0; k < cotangents_->n_sums; ++k) {
        provide(rows_[k].by_samples, series.n_panels() * kTerms * width(k));
        for (std::int64_t panel = 0; panel < series.n_panels(); ++panel)
          series.to_samples(rows_[k].by_series[net].data() + panel * kTerms * width(k), width(k),
                            rows_[k].by_samples.data() + panel * kTerms * width(k));
      }
      const std::vector<double> samples = series.samples();
      sweep(net, samples.data(), static_cast<std::int64_t>(samples.size()),
            [](Row &row) { return row.by_samples.data(); });
    }
  }

  // Back through an embedding net from the factors of its features, by_features(row) [n, width].
  template <typename Factors>
  void sweep(std::int64_t net, const double *inputs, std::int64_t n, Factors by_features) {
    static const Buffer<Real> ones(kSamples, Real(1));
    const PackedNet<Real> &packed = nets_->embedding[net];
    net_.prepare(packed.layers, kSamples, 1);
    sweeps_.prepare(packed.layers, kSamples);
    provide(input_, kSamples);
    for (std::int64_t first = 0; first < n; first += kSamples) {
      const std::int64_t size = std::min(kSamples, n - first);
      std::copy(inputs + first, inputs + first + size, input_.data());
      net_.template forward<1>(input_.data(), ones.data(), size);
      for (std::int64_t k = 0; k < cotangents_->n_sums; ++k) {
        NetGradient<Real> &gradient = rows_[k].embedding[net];
        const Real *factors = by_features(rows_[k]) + first * width(k);
        if (k < n_directed_) {
          copy_rows(factors + stride(), size, width(k), sweeps_.by_values());
          sweeps_.sweep_values(net_, size, {}, nullptr);
          copy_rows(factors, size, width(k), sweeps_.by_tangents());
          sweeps_.sweep_tangents(net_, size, nullptr, gradient, nullptr);
        } else {
          copy_rows(factors, size, width(k), sweeps_.by_values());
          sweeps_.sweep_values(net_, size, {{ones.data(), &gradient}}, nullptr);
        }
      }
    }
  }

  void copy_rows(const Real *from, std::int64_t n, std::int64_t length, Real *to) const {
    for (std::int64_t e = 0; e < n; ++e) std::copy(from + e * length, from + e * length + stride(), to + e * stride());
  }

  const TrainedNets<Real> *nets_ = nullptr;
  const Cotangents *cotangents_ = nullptr;
  std::int64_t n_directed_ = 0;
  Chunk<Real, double> chunk_;
  PairFeatures<Real> pair_features_;
  Net<Real> net_;
  ReverseSweeps<Real> sweeps_;
  std::vector<Row> rows_;
  std::vector<Weighted> weighted_;
  Buffer<Real> results_, stored_row_;
  Buffer<Real> factors_;                // of pairs, see n_factors
  Buffer<Real> input_, features_;       // of a block; G and dG/ds [kBlock, 2, stride]
  Buffer<Real> sums_, by_sums_;         // of atoms, see sums_size
  Buffer<Real> d_, d1_, by_d_, by_d1_;  // D, D', dE/dD, dE'/dD [atoms, M2 M]
  Buffer<Real> energy_factors_;         // e of atoms [sums, atoms]
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
