// What the angular functions of a plan have of pairs of neighbours: powers of x = (1 + lambda cos theta) / 2, and
// functions of the distance between the two, for blocks of vectors of such pairs.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "bp/distance_functions.hpp"
#include "bp/plan.hpp"
#include "buffer.hpp"
#include "gemm.hpp"
#include "half_angle.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

constexpr std::int64_t kBlockVectors = 16;

// Numbers of a row: one of each pair of neighbours of a block.
template <typename Real>
constexpr std::int64_t kRow = kBlockVectors * kLanes<Real>;

// Rows of one block; the first two are to be written before `PairTerms::fill`.
template <typename Real>
struct TermRows {
  Real cosine[kRow<Real>], separation[kRow<Real>];  // the latter, Å, first squared
  Real inverse[kRow<Real>];                         // 1 / separation
  Buffer<Real> powers;                              // [n_powers, 2, kRow], x^zeta and x^(zeta - 1)
  Buffer<Real> thirds, third_slopes;                // [n_thirds, kRow], the latter by the separation
  Buffer<Real> cutoffs;

  const Real *power(std::int64_t row) const { return powers.data() + 2 * row * kRow<Real>; }
  const Real *power_slope(std::int64_t row) const { return power(row) + kRow<Real>; }
  const Real *third(std::int64_t row) const { return thirds.data() + row * kRow<Real>; }
  const Real *third_slope(std::int64_t row) const { return third_slopes.data() + row * kRow<Real>; }
};

template <typename Real>
class PairTerms {
 public:
  PairTerms(const bp::CutoffFunction &cutoff, const bp::PairPlan &plan) : plan_(plan), thirds_(cutoff, plan.thirds) {
    for (const bp::Block &block : plan.blocks) {
      entry_.push_back(n_entries_);
      n_entries_ += static_cast<std::int64_t>(block.targets.size());
    }
  }

  const bp::PairPlan &plan() const { return plan_; }
  bool has_thirds() const { return thirds_.count() > 0; }
  // Entries of all blocks, one after another, and the first of each.
  std::int64_t n_entries() const { return n_entries_; }
  std::int64_t entry(std::size_t block) const { return entry_[block]; }

  // Before the first block.
  void begin(TermRows<Real> &rows) const {
    provide(rows.powers, 2 * static_cast<std::int64_t>(plan_.powers.size()) * kRow<Real>);
    provide(rows.thirds, thirds_.count() * kRow<Real>);
    provide(rows.third_slopes, thirds_.count() * kRow<Real>);
    for (std::size_t k = 0; k < plan_.powers.size(); ++k) {
      Real *value = rows.powers.data() + 2 * k * kRow<Real>, *slope = value + kRow<Real>;
      if (plan_.powers[k].kind == bp::Power::Kind::one) {
        std::fill_n(value, kRow<Real>, Real(1));
        std::fill_n(slope, kRow<Real>, Real(0));
      }
    }
  }

  // From cosines and squares of separations; x^(zeta - 1) only where slopes are asked for.
  template <bool HasSlopes>
  void fill(std::int64_t n_vectors, TermRows<Real> &rows) const {
    const std::int64_t n = n_vectors * kLanes<Real>;
    for (std::size_t k = 0; k < plan_.powers.size(); ++k) fill_power<HasSlopes>(k, n, rows);
    if (!has_thirds()) return;
    Real *__restrict r = rows.separation, *__restrict inverse = rows.inverse;
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) {
      inverse[p] = inverse_root(r[p]);
      r[p] *= inverse[p];
    }
    thirds_.evaluate(r, n, kRow<Real>, rows.thirds.data(), rows.third_slopes.data(), rows.cutoffs);
  }

 private:
  template <bool HasSlopes>
  void fill_power(std::size_t k, std::int64_t n, TermRows<Real> &rows) const {
    const bp::Power &power = plan_.powers[k];
    if (power.kind == bp::Power::Kind::one) return;
    using Vector = typename VectorOf<Real>::type;
    Real *value = rows.powers.data() + 2 * k * kRow<Real>, *slope = value + kRow<Real>;
    const Real half = Real(0.5) * static_cast<Real>(power.lambda);
    const bool is_whole = power.kind == bp::Power::Kind::whole;
    for (std::int64_t p = 0; p < n; p += kLanes<Real>) {
      Vector x = Real(0.5) + half * load(rows.cosine + p);
      x = x < Real(0) ? Vector{} : x;
      const Vector lower = is_whole ? whole_power(x, static_cast<std::int64_t>(power.exponent) - 1)
                                    : real_power(x, static_cast<Real>(power.exponent) - Real(1));
      store(value + p, lower * x);
      if (HasSlopes) store(slope + p, lower);
    }
  }

  using Value = typename VectorOf<Real>::value;

  // By squares.
  static Value whole_power(Value x, std::int64_t exponent) {
    Value power = Value{} + Real(1);
    for (; exponent > 1; exponent /= 2, x *= x)
      if (exponent % 2 == 1) power *= x;
    return exponent == 1 ? power * x : power;
  }

  static Value real_power(Value x, Real exponent) {
    for (std::int64_t lane = 0; lane < kLanes<Real>; ++lane) x[lane] = std::pow(x[lane], exponent);
    return x;
  }

  bp::PairPlan plan_;
  DistanceFunctions<Real> thirds_;
  std::vector<std::int64_t> entry_;
  std::int64_t n_entries_ = 0;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
