// The harmonics of unit_harmonics.hpp for vectors of kFew pairs.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

#include "gemm.hpp"
#include "unit_harmonics.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Unit vectors of pairs that fill whole vectors, or their changes.
template <typename Real>
struct Directions {
  const Real *x, *y, *z;
};

template <typename Real, int L>
using HarmonicsOfFew = Harmonics<Real, FewValue<Real>, L>;

template <typename Real, int L>
HarmonicsOfFew<Real, L> harmonics_at(const Directions<Real> &directions, std::int64_t p) {
  return {load<Real, kFew>(directions.x + p), load<Real, kFew>(directions.y + p), load<Real, kFew>(directions.z + p)};
}

// b [lm, n] of n pairs
template <typename Real, int L>
void write_harmonics(const Directions<Real> &directions, std::int64_t n, Real *b) {
  for (std::int64_t p = 0; p < n; p += kFew)
    harmonics_at<Real, L>(directions, p).visit_values([&](int place, const FewVector<Real> &value) {
      store<Real, kFew>(b + place * n + p, value);
    });
}

// Their changes with those of the unit vectors, likewise
template <typename Real, int L>
void write_harmonic_changes(const Directions<Real> &directions, const Directions<Real> &changes, std::int64_t n,
                            Real *b) {
  for (std::int64_t p = 0; p < n; p += kFew)
    harmonics_at<Real, L>(directions, p)
        .visit_changes(load<Real, kFew>(changes.x + p), load<Real, kFew>(changes.y + p),
                       load<Real, kFew>(changes.z + p),
                       [&](int place, const FewVector<Real> &value) { store<Real, kFew>(b + place * n + p, value); });
}

// Of kFew pairs, see Harmonics::differentiate; h [lm, 2, kFew] holds h_lm and h'_lm, by_vector is [3, kFew]
template <typename Real, int L>
void differentiate_harmonics(const Directions<Real> &directions, const Real *inverse, const Real *h, Real *by_vector) {
  using Factor = typename HarmonicsOfFew<Real, L>::Factor;
  FewValue<Real> result[3];
  const auto factor = [&](int place) -> Factor {
    const Real *from = h + place * 2 * kFew;
    return {load<Real, kFew>(from), load<Real, kFew>(from + kFew)};
  };
  harmonics_at<Real, L>(directions, 0).differentiate(factor, load<Real, kFew>(inverse), result);
  for (int c = 0; c < 3; ++c) store<Real, kFew>(by_vector + c * kFew, result[c]);
}

// These functions for one l_max, chosen once for a model.
template <typename Real>
struct HarmonicFunctions {
  std::int64_t count;  // of harmonics
  void (*write)(const Directions<Real> &directions, std::int64_t n, Real *b);
  void (*write_changes)(const Directions<Real> &directions, const Directions<Real> &changes, std::int64_t n, Real *b);
  void (*differentiate)(const Directions<Real> &directions, const Real *inverse, const Real *h, Real *by_vector);
};

template <typename Real, int L = kLargestL>
HarmonicFunctions<Real> harmonic_functions(int l_max) {
  if constexpr (L > 1)
    if (l_max < L) return harmonic_functions<Real, L - 1>(l_max);
  return {harmonics_up_to(L), write_harmonics<Real, L>, write_harmonic_changes<Real, L>,
          differentiate_harmonics<Real, L>};
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
