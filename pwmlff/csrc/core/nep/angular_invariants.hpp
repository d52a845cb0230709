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
#include "nep/extra_invariants.hpp"
#include "nep/model.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

class AngularInvariants {
 public:
  template <typename Real>
  explicit AngularInvariants(const nep::Model<Real> &model)
      : l_max_(model.l_max),
        n_functions_(model.functions[nep::kAngular].n_functions),
        n_blocks_(padded_few(n_functions_) / kFew),
        block_(harmonics_up_to(l_max_) * kFew),
        extras_(model.extras) {}

  // Numbers s of an atom.
  std::int64_t sums_size() const { return n_blocks_ * block_; }

  // q_n of the first invariant over all n, then of the next. The room behind them is written to.
  template <typename Real>
  void describe(const Real *s, Real *q) const {
    for (int l = 1; l <= l_max_; ++l, q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const Real *from = s + block * block_ + harmonic_place(l) * kFew;
        FewVector<Real> sum = {};
        for (int i = 0; i <= 2 * l; ++i) {
          const FewVector<Real> value = load<Real, kFew>(from + i * kFew);
          sum += norm<Real>(l, i) * value * value;
        }
        store<Real, kFew>(q + block * kFew, sum);
      }
    for_each_extra<Real>([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        store<Real, kFew>(q + block * kFew, extra.value(sums_of(s, block)));
      q += n_functions_;
    });
  }

  // The changes of q_n where s changes by s1, likewise.
  template <typename Real>
  void describe_change(const Real *s, const Real *s1, Real *q) const {
    for (int l = 1; l <= l_max_; ++l, q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const std::int64_t at = block * block_ + harmonic_place(l) * kFew;
        FewVector<Real> sum = {};
        for (int i = 0; i <= 2 * l; ++i)
          sum +=
              Real(2) * norm<Real>(l, i) * load<Real, kFew>(s + at + i * kFew) * load<Real, kFew>(s1 + at + i * kFew);
        store<Real, kFew>(q + block * kFew, sum);
      }
    for_each_extra<Real>([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        store<Real, kFew>(q + block * kFew, extra.change(sums_of(s, block), sums_of(s1, block)));
      q += n_functions_;
    });
  }

  // dE/ds from dE/dq; numbers behind the last function mean nothing.
  template <typename Real>
  void differentiate(const Real *s, const Real *by_q, Real *by_s) const {
    for (int l = 1; l <= l_max_; ++l, by_q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const std::int64_t at = block * block_ + harmonic_place(l) * kFew;
        const FewVector<Real> twice = Real(2) * load<Real, kFew>(by_q + block * kFew);
        for (int i = 0; i <= 2 * l; ++i)
          store<Real, kFew>(by_s + at + i * kFew, norm<Real>(l, i) * twice * load<Real, kFew>(s + at + i * kFew));
      }
    for_each_extra<Real>([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        extra.differentiate(sums_of(s, block), load<Real, kFew>(by_q + block * kFew), adding_to(by_s, block));
      by_q += n_functions_;
    });
  }

  // Adds the change of dE/ds, at constant dE/dq, where s changes by s1.
  template <typename Real>
  void differentiate_change(const Real *s, const Real *s1, const Real *by_q, Real *by_s) const {
    for (int l = 1; l <= l_max_; ++l, by_q += n_functions_)
      for (std::int64_t block = 0; block < n_blocks_; ++block) {
        const std::int64_t at = block * block_ + harmonic_place(l) * kFew;
        const FewVector<Real> twice = Real(2) * load<Real, kFew>(by_q + block * kFew);
        for (int i = 0; i <= 2 * l; ++i) {
          Real *to = by_s + at + i * kFew;
          store<Real, kFew>(to, load<Real, kFew>(to) + norm<Real>(l, i) * twice * load<Real, kFew>(s1 + at + i * kFew));
        }
      }
    for_each_extra<Real>([&](auto extra) {
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        extra.differentiate_change(sums_of(s, block), sums_of(s1, block), load<Real, kFew>(by_q + block * kFew),
                                   adding_to(by_s, block));
      by_q += n_functions_;
    });
  }

 private:
  // Of the i-th s_lm of an l; real and imaginary part of an m > 0 have the same.
  template <typename Real>
  static Real norm(int l, int i) {
    return static_cast<Real>(kNorm.of[l][(i + 1) / 2]);
  }

  template <typename Real, typename Function>
  void for_each_extra(Function function) const {
    nep::for_each_extra<Real, FewValue<Real>>(extras_.data(), function);
  }

  // The numbers of a block by their place, and what adds to them.
  template <typename Real>
  auto sums_of(const Real *s, std::int64_t block) const {
    return [from = s + block * block_](int place) { return load<Real, kFew>(from + place * kFew); };
  }
  template <typename Real>
  auto adding_to(Real *s, std::int64_t block) const {
    return [from = s + block * block_](int place, const FewVector<Real> &term) {
      Real *to = from + place * kFew;
      store<Real, kFew>(to, load<Real, kFew>(to) + term);
    };
  }

  int l_max_;
  std::int64_t n_functions_, n_blocks_, block_;  // block_: numbers s of a block
  std::array<bool, nep::kExtras> extras_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
