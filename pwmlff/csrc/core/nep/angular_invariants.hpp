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

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real>
using FewVector = typename VectorOf<Real, kFew>::type;

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

 private:
  static constexpr int kFactors = 4;

  // The product of the s but one of them.
  template <typename Real>
  static FewVector<Real> without(const nep::Product &product, int own, const Real *s) {
    FewVector<Real> result = {};
    bool is_first = true;
#pragma GCC unroll 4
    for (int k = 0; k < kFactors; ++k) {
      if (k == own || product.places[k] < 0) continue;
      const FewVector<Real> factor = load<Real, kFew>(s + product.places[k] * kFew);
      result = is_first ? factor : result * factor;
      is_first = false;
    }
    return result;
  }
};

template <int L>
class AngularInvariants {
 public:
  static constexpr std::int64_t kHarmonics = nep::harmonics_up_to(L), kBlock = kHarmonics * kFew;

  AngularInvariants(std::int64_t n_functions, const std::array<bool, nep::kExtras> &extras)
      : n_functions_(n_functions), n_blocks_(padded_few(n_functions) / kFew), extras_(extras) {}

  // q_n of the first invariant over all n, then of the next. The room behind them is written to.
  template <typename Real>
  void describe(const Real *s, Real *q) const {
#pragma GCC unroll 8
    for (int l = 1; l <= L; ++l, q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        FewVector<Real> sum;
#pragma GCC unroll 17
        for (int i = 0; i < 17; ++i) {
          if (i > 2 * l) continue;
          const FewVector<Real> value = load<Real, kFew>(s + block * kBlock + (nep::place_of(l) + i) * kFew);
          const FewVector<Real> term = Real(norm(l, i)) * value * value;
          sum = i == 0 ? term : sum + term;
        }
        store<Real, kFew>(q + block * kFew, sum);
      }
    for_each_extra([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        store<Real, kFew>(q + block * kFew, extra.value(s + block * kBlock));
      q += n_functions_;
    });
  }

  // dE/ds from dE/dq; numbers behind the last function mean nothing.
  template <typename Real>
  void differentiate(const Real *s, const Real *by_q, Real *by_s) const {
#pragma GCC unroll 8
    for (int l = 1; l <= L; ++l, by_q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const FewVector<Real> factor = load<Real, kFew>(by_q + block * kFew);
#pragma GCC unroll 17
        for (int i = 0; i < 17; ++i) {
          if (i > 2 * l) continue;
          const std::int64_t at = block * kBlock + (nep::place_of(l) + i) * kFew;
          store<Real, kFew>(by_s + at, Real(2 * norm(l, i)) * factor * load<Real, kFew>(s + at));
        }
      }
    for_each_extra([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        extra.differentiate(s + block * kBlock, load<Real, kFew>(by_q + block * kFew), by_s + block * kBlock);
      by_q += n_functions_;
    });
  }

 private:
  // Of the i-th s_lm of an l; real and imaginary part of an m > 0 have the same.
  static constexpr double norm(int l, int i) { return nep::kNorm.of[l][(i + 1) / 2]; }

  template <typename Function>
  void for_each_extra(Function function) const {
    if constexpr (L >= nep::kExtraLeastL[0])
      if (extras_[0]) function(ExtraInvariant<nep::k222>());
    if (extras_[1]) function(ExtraInvariant<nep::k1111>());
    if constexpr (L >= nep::kExtraLeastL[2])
      if (extras_[2]) function(ExtraInvariant<nep::k112>());
    if constexpr (L >= nep::kExtraLeastL[3])
      if (extras_[3]) function(ExtraInvariant<nep::k123>());
    if constexpr (L >= nep::kExtraLeastL[4])
      if (extras_[4]) function(ExtraInvariant<nep::k233>());
    if constexpr (L >= nep::kExtraLeastL[5])
      if (extras_[5]) function(ExtraInvariant<nep::k134>());
  }

  std::int64_t n_functions_, n_blocks_;
  std::array<bool, nep::kExtras> extras_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
