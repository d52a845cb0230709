// The invariants q_n of an atom's sums s_n,lm, and the derivatives of the energy by these sums.
//
// The functions n lie in blocks of kFew, and for each block the s_lm follow each other: s [blocks, lm, kFew].
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <array>
#include <cstdint>

#include "gemm.hpp"
#include "nep/expansion.hpp"
#include "nep/invariants.hpp"
#include "nep/model.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// A sum of products of s_lm, for one block. Loops are unrolled, so that places and factors become constants.
template <const auto &products>
struct ExtraInvariant {
  static constexpr int kProducts = sizeof(products) / sizeof(products[0]);

  template <typename Real>
  static FewVector<Real> value(const Real *s) {
    FewVector<Real> sum = {};
#pragma GCC unroll 32
    for (int i = 0; i < kProducts; ++i) sum += without(products[i], kFactors, s) * Real(products[i].factor);
    return sum;
  }

  // Its change where s changes by s1.
  template <typename Real>
  static FewVector<Real> change(const Real *s, const Real *s1) {
    FewVector<Real> sum = {};
#pragma GCC unroll 32
    for (int i = 0; i < kProducts; ++i)
#pragma GCC unroll 4
      for (int own = 0; own < kFactors; ++own) {
        if (products[i].places[own] < 0) continue;
        const FewVector<Real> factor = Real(products[i].factor) * load<Real, kFew>(s1 + products[i].places[own] * kFew);
        sum += factor * without(products[i], own, s);
      }
    return sum;
  }

  // Adds to dE/ds what it gets through this invariant.
  template <typename Real>
  static void differentiate(const Real *s, const FewVector<Real> &by_q, Real *by_s) {
#pragma GCC unroll 32
    for (int i = 0; i < kProducts; ++i) {
      const FewVector<Real> factor = Real(products[i].factor) * by_q;
#pragma GCC unroll 4
      for (int own = 0; own < kFactors; ++own) {
        if (products[i].places[own] < 0) continue;
        Real *to = by_s + products[i].places[own] * kFew;
        store<Real, kFew>(to, load<Real, kFew>(to) + factor * without(products[i], own, s));
      }
    }
  }

  // Adds the change of what `differentiate` adds.
  template <typename Real>
  static void differentiate_change(const Real *s, const Real *s1, const FewVector<Real> &by_q, Real *by_s) {
    for (int i = 0; i < kProducts; ++i) {
      const FewVector<Real> factor = Real(products[i].factor) * by_q;
      for (int own = 0; own < kFactors; ++own) {
        if (products[i].places[own] < 0) continue;
        FewVector<Real> sum = {};
        for (int other = 0; other < kFactors; ++other) {
          if (other == own || products[i].places[other] < 0) continue;
          sum += load<Real, kFew>(s1 + products[i].places[other] * kFew) * without(products[i], own, s, other);
        }
        Real *to = by_s + products[i].places[own] * kFew;
        store<Real, kFew>(to, load<Real, kFew>(to) + factor * sum);
      }
    }
  }

 private:
  static constexpr int kFactors = 4;

  // The product of the s but one or two of them; 1 is never left.
  template <typename Real>
  static FewVector<Real> without(const nep::Product &product, int own, const Real *s, int other = -1) {
    FewVector<Real> result = {};
    bool is_first = true;
#pragma GCC unroll 4
    for (int k = 0; k < kFactors; ++k) {
      if (k == own || k == other || product.places[k] < 0) continue;
      const FewVector<Real> factor = load<Real, kFew>(s + product.places[k] * kFew);
      result = is_first ? factor : result * factor;
      is_first = false;
    }
    return result;
  }
};

class AngularInvariants {
 public:
  template <typename Real>
  explicit AngularInvariants(const nep::Model<Real> &model)
      : l_max_(model.l_max),
        n_functions_(model.functions[nep::kAngular].n_functions),
        n_blocks_(padded_few(n_functions_) / kFew),
        block_(nep::harmonics_up_to(l_max_) * kFew),
        extras_(model.extras) {}

  // Numbers s of an atom.
  std::int64_t sums_size() const { return n_blocks_ * block_; }

  // q_n of the first invariant over all n, then of the next. The room behind them is written to.
  template <typename Real>
  void describe(const Real *s, Real *q) const {
    for (int l = 1; l <= l_max_; ++l, q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const Real *from = s + block * block_ + nep::place_of(l) * kFew;
        FewVector<Real> sum = {};
        for (int i = 0; i <= 2 * l; ++i) {
          const FewVector<Real> value = load<Real, kFew>(from + i * kFew);
          sum += norm<Real>(l, i) * value * value;
        }
        store<Real, kFew>(q + block * kFew, sum);
      }
    for_each_extra([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        store<Real, kFew>(q + block * kFew, extra.value(s + block * block_));
      q += n_functions_;
    });
  }

  // The changes of q_n where s changes by s1, likewise.
  template <typename Real>
  void describe_change(const Real *s, const Real *s1, Real *q) const {
    for (int l = 1; l <= l_max_; ++l, q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const std::int64_t at = block * block_ + nep::place_of(l) * kFew;
        FewVector<Real> sum = {};
        for (int i = 0; i <= 2 * l; ++i)
          sum +=
              Real(2) * norm<Real>(l, i) * load<Real, kFew>(s + at + i * kFew) * load<Real, kFew>(s1 + at + i * kFew);
        store<Real, kFew>(q + block * kFew, sum);
      }
    for_each_extra([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        store<Real, kFew>(q + block * kFew, extra.change(s + block * block_, s1 + block * block_));
      q += n_functions_;
    });
  }

  // dE/ds from dE/dq; numbers behind the last function mean nothing.
  template <typename Real>
  void differentiate(const Real *s, const Real *by_q, Real *by_s) const {
    for (int l = 1; l <= l_max_; ++l, by_q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const std::int64_t at = block * block_ + nep::place_of(l) * kFew;
        const FewVector<Real> twice = Real(2) * load<Real, kFew>(by_q + block * kFew);
        for (int i = 0; i <= 2 * l; ++i)
          store<Real, kFew>(by_s + at + i * kFew, norm<Real>(l, i) * twice * load<Real, kFew>(s + at + i * kFew));
      }
    for_each_extra([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        extra.differentiate(s + block * block_, load<Real, kFew>(by_q + block * kFew), by_s + block * block_);
      by_q += n_functions_;
    });
  }

  // Adds the change of dE/ds, at constant dE/dq, where s changes by s1.
  template <typename Real>
  void differentiate_change(const Real *s, const Real *s1, const Real *by_q, Real *by_s) const {
    for (int l = 1; l <= l_max_; ++l, by_q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const std::int64_t at = block * block_ + nep::place_of(l) * kFew;
        const FewVector<Real> twice = Real(2) * load<Real, kFew>(by_q + block * kFew);
        for (int i = 0; i <= 2 * l; ++i) {
          Real *to = by_s + at + i * kFew;
          store<Real, kFew>(to, load<Real, kFew>(to) + norm<Real>(l, i) * twice * load<Real, kFew>(s1 + at + i * kFew));
        }
      }
    for_each_extra([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        extra.differentiate_change(s + block * block_, s1 + block * block_, load<Real, kFew>(by_q + block * kFew),
                                   by_s + block * block_);
      by_q += n_functions_;
    });
  }

 private:
  // Of the i-th s_lm of an l; real and imaginary part of an m > 0 have the same.
  template <typename Real>
  static Real norm(int l, int i) {
    return static_cast<Real>(nep::kNorm.of[l][(i + 1) / 2]);
  }

  template <typename Function>
  void for_each_extra(Function function) const {
    if (extras_[0]) function(ExtraInvariant<nep::k222>());
    if (extras_[1]) function(ExtraInvariant<nep::k1111>());
    if (extras_[2]) function(ExtraInvariant<nep::k112>());
    if (extras_[3]) function(ExtraInvariant<nep::k123>());
    if (extras_[4]) function(ExtraInvariant<nep::k233>());
    if (extras_[5]) function(ExtraInvariant<nep::k134>());
  }

  int l_max_;
  std::int64_t n_functions_, n_blocks_, block_;  // block_: numbers s of a block
  std::array<bool, nep::kExtras> extras_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
