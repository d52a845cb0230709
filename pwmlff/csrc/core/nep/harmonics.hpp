// The harmonics b_lm of invariants.hpp for vectors of kFew pairs, and the derivative of a sum of them.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

#include "gemm.hpp"
#include "nep/expansion.hpp"
#include "nep/invariants.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Loops are unrolled, so that arrays stay in registers and constants become such.
template <typename Real, int L>
class Harmonics {
 public:
  using Vector = FewVector<Real>;

  // At the unit vectors (x, y, z).
  Harmonics(const Vector &x, const Vector &y, const Vector &z) : x_(x), y_(y), z_(z) {
    re_[0] = Vector{} + Real(1);
    im_[0] = Vector{};
    re_[1] = x;
    im_[1] = y;
#pragma GCC unroll 8
    for (int m = 2; m <= L; ++m) {
      re_[m] = re_[m - 1] * x - im_[m - 1] * y;
      im_[m] = im_[m - 1] * x + re_[m - 1] * y;
    }
  }

  // b_lm, each `stride` numbers after the one before
  void write(Real *b, std::int64_t stride) const {
    Vector p[L + 1];
#pragma GCC unroll 9
    for (int m = 0; m <= L; ++m) {
      fill_column(m, p);
#pragma GCC unroll 8
      for (int l = 1; l <= L; ++l) {
        if (l < m) continue;
        Real *to = b + place(l, m) * stride;
        if (m == 0) {
          store<Real, kFew>(to, p[l]);
        } else {
          store<Real, kFew>(to, p[l] * re_[m]);
          store<Real, kFew>(to + stride, p[l] * im_[m]);
        }
      }
    }
  }

  // Their changes where x, y and z change by dx, dy and dz, likewise.
  void write_changes(const Vector &dx, const Vector &dy, const Vector &dz, Real *b, std::int64_t stride) const {
    Vector p[L + 1], above[L + 1];  // p_lm and p_l(m + 1)
#pragma GCC unroll 9
    for (int m = L; m >= 0; --m) {
      fill_column(m, p);
      const Vector re_change = m == 0 ? Vector{} : Real(m) * (re_[m - 1] * dx - im_[m - 1] * dy);
      const Vector im_change = m == 0 ? Vector{} : Real(m) * (im_[m - 1] * dx + re_[m - 1] * dy);
#pragma GCC unroll 8
      for (int l = 1; l <= L; ++l) {
        if (l < m) continue;
        const Vector slope = l == m ? Vector{} : Real(nep::kSlope.of[l][m]) * above[l] * dz;
        Real *to = b + place(l, m) * stride;
        if (m == 0) {
          store<Real, kFew>(to, slope);
        } else {
          store<Real, kFew>(to, p[l] * re_change + slope * re_[m]);
          store<Real, kFew>(to + stride, p[l] * im_change + slope * im_[m]);
        }
      }
#pragma GCC unroll 9
      for (int l = 0; l <= L; ++l) above[l] = p[l];
    }
  }

  // The derivative of sum_lm h_lm b_lm by the vectors of the pairs, which are 1 / inverse long, where h_lm depends on
  // that length with the derivative h'_lm. The h [lm, 2, kFew] hold h_lm and h'_lm.
  void differentiate(const Real *h, const Vector &inverse, Vector *by_vector) const {
    const Sum sum = contract(h);
    const Vector radial = sum.value - inverse * (x_ * sum.by_x + y_ * sum.by_y + z_ * sum.by_z);
    by_vector[0] = radial * x_ + inverse * sum.by_x;
    by_vector[1] = radial * y_ + inverse * sum.by_y;
    by_vector[2] = radial * z_ + inverse * sum.by_z;
  }

 private:
  // sum_lm h'_lm b_lm, and the derivatives of sum_lm h_lm b_lm by x, y and z
  struct Sum {
    Vector value, by_x, by_y, by_z;
  };

  Sum contract(const Real *h) const {
    Sum sum;
    Vector p[L + 1], above[L + 1];  // p_lm and p_l(m + 1)
#pragma GCC unroll 9
    for (int m = L; m >= 0; --m) {
      fill_column(m, p);
      Vector real, imaginary, real_value, imaginary_value, real_slope, imaginary_slope;
#pragma GCC unroll 8
      for (int l = 1; l <= L; ++l) {
        if (l < m) continue;
        const bool is_first = l == m || l == 1;
        const Real *from = h + place(l, m) * 2 * kFew, *value_from = from + kFew;
        add(is_first, p[l] * load<Real, kFew>(from), real);
        add(is_first, p[l] * load<Real, kFew>(value_from), real_value);
        if (m > 0) add(is_first, p[l] * load<Real, kFew>(from + 2 * kFew), imaginary);
        if (m > 0) add(is_first, p[l] * load<Real, kFew>(value_from + 2 * kFew), imaginary_value);
        if (l == m) continue;
        const Vector slope = Real(nep::kSlope.of[l][m]) * above[l];
        add(l == m + 1, slope * load<Real, kFew>(from), real_slope);
        if (m > 0) add(l == m + 1, slope * load<Real, kFew>(from + 2 * kFew), imaginary_slope);
      }
      if (m == 0) {
        sum.value += real_value;
        add(L == 1, real_slope, sum.by_z);
      } else {
        const bool is_first = m == L;
        add(is_first, re_[m] * real_value + im_[m] * imaginary_value, sum.value);
        if (m < L) add(m == L - 1, re_[m] * real_slope + im_[m] * imaginary_slope, sum.by_z);
        add(is_first, Real(m) * (m == 1 ? real : re_[m - 1] * real + im_[m - 1] * imaginary), sum.by_x);
        add(is_first, Real(m) * (m == 1 ? imaginary : re_[m - 1] * imaginary - im_[m - 1] * real), sum.by_y);
      }
#pragma GCC unroll 9
      for (int l = 0; l <= L; ++l) above[l] = p[l];
    }
    return sum;
  }

  static void add(bool is_first, const Vector &term, Vector &sum) { sum = is_first ? term : sum + term; }

  static constexpr int place(int l, int m) { return nep::place_of(l) + (m == 0 ? 0 : 2 * m - 1); }

  // p_lm for l = m..L
  void fill_column(int m, Vector *p) const {
#pragma GCC unroll 9
    for (int l = 0; l <= L; ++l) {
      if (l < m) continue;
      if (l == m)
        p[l] = Vector{} + Real(1);
      else if (l == m + 1)
        p[l] = Real(nep::kRise.of[l][m]) * z_;
      else
        p[l] = Real(nep::kRise.of[l][m]) * z_ * p[l - 1] - Real(nep::kFall.of[l][m]) * p[l - 2];
    }
  }

  Vector x_, y_, z_;
  Vector re_[L + 1], im_[L + 1];  // of (x + iy)^m
};

// Unit vectors of pairs that fill whole vectors, or their changes.
template <typename Real>
struct Directions {
  const Real *x, *y, *z;
};

template <typename Real, int L>
Harmonics<Real, L> harmonics_at(const Directions<Real> &directions, std::int64_t p) {
  return {load<Real, kFew>(directions.x + p), load<Real, kFew>(directions.y + p), load<Real, kFew>(directions.z + p)};
}

// b [lm, n] of n pairs
template <typename Real, int L>
void write_harmonics(const Directions<Real> &directions, std::int64_t n, Real *b) {
  for (std::int64_t p = 0; p < n; p += kFew) harmonics_at<Real, L>(directions, p).write(b + p, n);
}

// Their changes with those of the unit vectors, likewise
template <typename Real, int L>
void write_harmonic_changes(const Directions<Real> &directions, const Directions<Real> &changes, std::int64_t n,
                            Real *b) {
  for (std::int64_t p = 0; p < n; p += kFew)
    harmonics_at<Real, L>(directions, p)
        .write_changes(load<Real, kFew>(changes.x + p), load<Real, kFew>(changes.y + p),
                       load<Real, kFew>(changes.z + p), b + p, n);
}

// Of kFew pairs, see Harmonics::differentiate; by_vector [3, kFew]
template <typename Real, int L>
void differentiate_harmonics(const Directions<Real> &directions, const Real *inverse, const Real *h, Real *by_vector) {
  FewVector<Real> result[3];
  harmonics_at<Real, L>(directions, 0).differentiate(h, load<Real, kFew>(inverse), result);
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

template <typename Real, int L = nep::kLargestL>
HarmonicFunctions<Real> harmonic_functions(int l_max) {
  if constexpr (L > 1)
    if (l_max < L) return harmonic_functions<Real, L - 1>(l_max);
  return {nep::harmonics_up_to(L), write_harmonics<Real, L>, write_harmonic_changes<Real, L>,
          differentiate_harmonics<Real, L>};
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
