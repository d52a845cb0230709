// The angular descriptors of the atoms of a chunk and their changes along directions of the pair vectors; on the way
// back the derivatives by the coefficients.
//
// With s = sum_j g b and its change s' = sum_j (g' b + g b'), and S the sum whose derivatives are wanted, a pair's
// radial functions get dS/dg = b dS/ds + b' dS/ds' and dS/dg' = b dS/ds', summed over lm.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "harmonics.hpp"
#include "nep/angular_invariants.hpp"
#include "nep/angular_pairs.hpp"
#include "nep/expansion.hpp"
#include "nep/neighborhood.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real>
class AngularTangents {
 public:
  void begin(const Expansion<Real, double> &expansion, const AngularInvariants &invariants,
             const HarmonicFunctions<double> &harmonics, std::int64_t n_directions) {
    expansion_ = &expansion;
    invariants_ = &invariants;
    harmonics_ = &harmonics;
    n_directions_ = n_directions;
    n_atoms_ = 0;
  }

  // See RadialTangents.
  void add_atom(std::int64_t central, const Neighborhood<double> &neighbors, const CutoffRadii &radii,
                const double *directions, std::int64_t direction_size, double *q, std::int64_t size) {
    if (n_atoms_ == static_cast<std::int64_t>(atoms_.size())) atoms_.emplace_back();
    Atom &atom = atoms_[n_atoms_++];
    atom.pairs.count = 0;
    const std::int64_t n_sums = invariants_->sums_size();
    atom.sums.assign((1 + n_directions_) * n_sums, 0.0);
    if (neighbors.n_angular > 0) {
      AngularPairs<double> &pairs = atom.pairs;
      pairs.fill(central, neighbors, radii, *expansion_, *harmonics_);
      provide(atom.lengths, n_directions_ * pairs.size);
      provide(atom.tangents, n_directions_ * harmonics_->count * pairs.size);
      add_sums(pairs, pairs.harmonics.data(), pairs.functions.data(), atom.sums.data());
      for (std::int64_t k = 0; k < n_directions_; ++k) {
        fill_tangents(directions + k * direction_size, k, atom);
        add_sums(pairs, tangents_of(atom, k), pairs.functions.data(), atom.sums.data() + (1 + k) * n_sums);
        add_sums(pairs, pairs.harmonics.data(), stretched(atom, k), atom.sums.data() + (1 + k) * n_sums);
      }
    }
    invariants_->describe(atom.sums.data(), q);
    for (std::int64_t k = 0; k < n_directions_; ++k)
      invariants_->describe_change(atom.sums.data(), atom.sums.data() + (1 + k) * n_sums, q + (1 + k) * size);
  }

  // To be called before the others with an atom of the chunk, with dE/dq. Returns whether it has pairs.
  bool begin_atom(std::int64_t slot, const double *by_q) {
    atom_ = &atoms_[slot];
    if (atom_->pairs.count == 0) return false;
    energy_by_q_ = by_q;
    const std::int64_t n = atom_->pairs.count * expansion_->stride();
    for (Buffer<double> *buffer : {&by_functions_, &by_changes_}) provide(*buffer, n);
    for (Buffer<double> *buffer : {&by_sums_, &by_sum_changes_}) provide(*buffer, invariants_->sums_size());
    invariants_->differentiate(atom_->sums.data(), by_q, by_sum_changes_.data());
    contract<false>(atom_->pairs.harmonics.data(), by_sum_changes_.data(), by_changes_.data());
    return true;
  }

  // Adds `factor` times the derivatives of the energy by C, [T, n_basis, stride].
  void collect_energy(double factor, double *by_c) const {
    const AngularPairs<double> &pairs = atom_->pairs;
    for_functions([&](std::int64_t p, std::int64_t at, std::int64_t k, std::int64_t to) {
      const Vector term = factor * pairs.basis[k * pairs.size + p] * load<double, kFew>(by_changes_.data() + at);
      store<double, kFew>(by_c + to, load<double, kFew>(by_c + to) + term);
    });
  }

  // Adds the derivatives by C of the sum of a direction, whose derivatives by q are by_q.
  void collect(std::int64_t direction, const double *by_q, double *by_c) {
    const AngularPairs<double> &pairs = atom_->pairs;
    const double *sums = atom_->sums.data(), *changes = sums + (1 + direction) * invariants_->sums_size();
    invariants_->differentiate(sums, by_q, by_sums_.data());
    invariants_->differentiate_change(sums, changes, energy_by_q_, by_sums_.data());
    contract<false>(pairs.harmonics.data(), by_sums_.data(), by_functions_.data());
    contract<true>(tangents_of(*atom_, direction), by_sum_changes_.data(), by_functions_.data());
    const double *lengths = atom_->lengths.data() + direction * pairs.size;
    for_functions([&](std::int64_t p, std::int64_t at, std::int64_t k, std::int64_t to) {
      const std::int64_t place = k * pairs.size + p;
      const Vector term = pairs.basis[place] * load<double, kFew>(by_functions_.data() + at) +
                          pairs.basis_slope[place] * lengths[p] * load<double, kFew>(by_changes_.data() + at);
      store<double, kFew>(by_c + to, load<double, kFew>(by_c + to) + term);
    });
  }

 private:
  using Vector = FewVector<double>;

  struct Atom {
    AngularPairs<double> pairs;
    Buffer<double> lengths;   // change of the distance, [n_directions, size]
    Buffer<double> tangents;  // b' [n_directions, lm, size]
    Buffer<double> sums;      // s and s' [1 + n_directions, ...]
  };

  double *tangents_of(Atom &atom, std::int64_t direction) const {
    return atom.tangents.data() + direction * harmonics_->count * atom.pairs.size;
  }

  // Changes of distances, and of harmonics with the unit vectors.
  void fill_tangents(const double *directions, std::int64_t k, Atom &atom) {
    const AngularPairs<double> &pairs = atom.pairs;
    double *lengths = atom.lengths.data() + k * pairs.size;
    for (Buffer<double> *buffer : {&dx_, &dy_, &dz_}) provide(*buffer, pairs.size);
    for (std::int64_t p = 0; p < pairs.size; ++p) {
      const double *d = directions + 3 * pairs.place[p];
      const double along = d[0] * pairs.x[p] + d[1] * pairs.y[p] + d[2] * pairs.z[p];
      lengths[p] = along;
      dx_[p] = pairs.inverse[p] * (d[0] - along * pairs.x[p]);
      dy_[p] = pairs.inverse[p] * (d[1] - along * pairs.y[p]);
      dz_[p] = pairs.inverse[p] * (d[2] - along * pairs.z[p]);
    }
    harmonics_->write_changes(pairs.directions(), {dx_.data(), dy_.data(), dz_.data()}, pairs.size,
                              tangents_of(atom, k));
  }

  // g' of a direction, [count, stride]
  const double *stretched(const Atom &atom, std::int64_t k) {
    const std::int64_t stride = expansion_->stride();
    provide(stretched_, atom.pairs.count * stride);
    for (std::int64_t p = 0; p < atom.pairs.count; ++p) {
      const double length = atom.lengths[k * atom.pairs.size + p];
      for (std::int64_t n = p * stride; n < (p + 1) * stride; ++n) stretched_[n] = length * atom.pairs.derivative[n];
    }
    return stretched_.data();
  }

  // sums += harmonics [lm, size] functions [count, stride]
  void add_sums(const AngularPairs<double> &pairs, const double *harmonics, const double *functions, double *sums) {
    const std::int64_t stride = expansion_->stride(), n_harmonics = harmonics_->count;
    for (std::int64_t n = 0; n < stride; n += kFew)
      multiply<double, kFew>(n_harmonics, kFew, pairs.count, harmonics, pairs.size, 1, functions + n, stride,
                             sums + n * n_harmonics, kFew, true);
  }

  // by_functions [count, stride] (+)= harmonics [lm, size]^T by_sums
  template <bool Accumulate>
  void contract(const double *harmonics, const double *by_sums, double *by_functions) const {
    const std::int64_t stride = expansion_->stride(), n_harmonics = harmonics_->count;
    for (std::int64_t n = 0; n < stride; n += kFew)
      multiply<double, kFew>(atom_->pairs.count, kFew, n_harmonics, harmonics, 1, atom_->pairs.size,
                             by_sums + n * n_harmonics, kFew, by_functions + n, stride, Accumulate);
  }

  // Calls visit(pair, place of a vector of its functions, k, place of C_nk of that vector).
  template <typename Visit>
  void for_functions(Visit visit) const {
    const std::int64_t stride = expansion_->stride(), n_basis = expansion_->n_basis();
    for (std::int64_t p = 0; p < atom_->pairs.count; ++p)
      for (std::int64_t k = 0; k < n_basis; ++k)
        for (std::int64_t n = 0; n < stride; n += kFew)
          visit(p, p * stride + n, k, (atom_->pairs.type[p] * n_basis + k) * stride + n);
  }

  const Expansion<Real, double> *expansion_ = nullptr;
  const AngularInvariants *invariants_ = nullptr;
  const HarmonicFunctions<double> *harmonics_ = nullptr;
  std::int64_t n_directions_ = 0, n_atoms_ = 0;
  std::vector<Atom> atoms_;
  Buffer<double> dx_, dy_, dz_, stretched_;
  Atom *atom_ = nullptr;                      // the one that is collected from
  const double *energy_by_q_ = nullptr;       // of it, dE/dq
  Buffer<double> by_sums_, by_sum_changes_;   // dS/ds and dS/ds'
  Buffer<double> by_functions_, by_changes_;  // dS/dg and dS/dg' [count, stride]
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
