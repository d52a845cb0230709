// The harmonics b_lm of invariants.hpp for a vector of pairs, and the derivative of a sum of them.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

#include "gemm.hpp"
#include "nep/invariants.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Unit vectors (x, y, z). Loops are unrolled, so that arrays stay in registers and constants become such.
template <typename Real, std::int64_t lanes, int L>
struct Harmonics {
  using Vector = typename VectorOf<Real, lanes>::type;

  Vector x, y, z;
  Vector re[L + 1], im[L + 1];  // of (x + iy)^m

  Harmonics(const Vector &x_in, const Vector &y_in, const Vector &z_in) : x(x_in), y(y_in), z(z_in) {
    re[0] = Vector{} + Real(1);
    im[0] = Vector{};
    re[1] = x;
    im[1] = y;
#pragma GCC unroll 8
    for (int m = 2; m <= L; ++m) {
      re[m] = re[m - 1] * x - im[m - 1] * y;
      im[m] = im[m - 1] * x + re[m - 1] * y;
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
          store<Real, lanes>(to, p[l]);
        } else {
          store<Real, lanes>(to, p[l] * re[m]);
          store<Real, lanes>(to + stride, p[l] * im[m]);
        }
      }
    }
  }

  // sum_lm h_lm b_lm with h' in place of h, and the derivatives of this sum with h by x, y and z. The h_lm and h'_lm
  // follow each other, h' behind h.
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
        const Real *from = h + place(l, m) * 2 * lanes, *value_from = from + lanes;
        add(is_first, p[l] * load<Real, lanes>(from), real);
        add(is_first, p[l] * load<Real, lanes>(value_from), real_value);
        if (m > 0) add(is_first, p[l] * load<Real, lanes>(from + 2 * lanes), imaginary);
        if (m > 0) add(is_first, p[l] * load<Real, lanes>(value_from + 2 * lanes), imaginary_value);
        if (l == m) continue;
        const Vector slope = Real(nep::kSlope.of[l][m]) * above[l];
        add(l == m + 1, slope * load<Real, lanes>(from), real_slope);
        if (m > 0) add(l == m + 1, slope * load<Real, lanes>(from + 2 * lanes), imaginary_slope);
      }
      if (m == 0) {
        sum.value += real_value;
        add(L == 1, real_slope, sum.by_z);
      } else {
        const bool is_first = m == L;
        add(is_first, re[m] * real_value + im[m] * imaginary_value, sum.value);
        if (m < L) add(m == L - 1, re[m] * real_slope + im[m] * imaginary_slope, sum.by_z);
        add(is_first, Real(m) * (m == 1 ? real : re[m - 1] * real + im[m - 1] * imaginary), sum.by_x);
        add(is_first, Real(m) * (m == 1 ? imaginary : re[m - 1] * imaginary - im[m - 1] * real), sum.by_y);
      }
#pragma GCC unroll 9
      for (int l = 0; l <= L; ++l) above[l] = p[l];
    }
    return sum;
  }

 private:
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
        p[l] = Real(nep::kRise.of[l][m]) * z;
      else
        p[l] = Real(nep::kRise.of[l][m]) * z * p[l - 1] - Real(nep::kFall.of[l][m]) * p[l - 2];
    }
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
