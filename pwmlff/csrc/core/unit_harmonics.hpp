// The harmonics b_lm of harmonic_tables.hpp at a unit vector, their changes, and the derivative of a sum of them.
//
// Number is Real, or a vector of such for several pairs at once. Loops are unrolled, so that arrays stay in registers
// and constants become such.
#pragma once

#include "harmonic_tables.hpp"
#include "inline.hpp"

namespace pwmlff {

template <typename Real, typename Number, int L>
class Harmonics {
 public:
  // What a harmonic is multiplied by in a sum, and the derivative of that by the distance.
  struct Factor {
    Number value, slope;
  };

  // At the unit vectors (x, y, z).
  PWMLFF_INLINE Harmonics(Number x, Number y, Number z) : x_(x), y_(y), z_(z) {
    re_[0] = Number{} + Real(1);
    im_[0] = Number{};
    re_[1] = x;
    im_[1] = y;
    PWMLFF_UNROLL(8)
    for (int m = 2; m <= L; ++m) {
      re_[m] = re_[m - 1] * x - im_[m - 1] * y;
      im_[m] = im_[m - 1] * x + re_[m - 1] * y;
    }
  }

  // Calls visit(place, b_lm) for each.
  template <typename Visit>
  PWMLFF_INLINE void visit_values(Visit visit) const {
    Number p[L + 1];
    PWMLFF_UNROLL(9)
    for (int m = 0; m <= L; ++m) {
      fill_column(m, p);
      PWMLFF_UNROLL(8)
      for (int l = 1; l <= L; ++l) {
        if (l < m) continue;
        if (m == 0) {
          visit(place(l, m), p[l]);
        } else {
          visit(place(l, m), p[l] * re_[m]);
          visit(place(l, m) + 1, p[l] * im_[m]);
        }
      }
    }
  }

  // Likewise their changes where x, y and z change by dx, dy and dz.
  template <typename Visit>
  PWMLFF_INLINE void visit_changes(Number dx, Number dy, Number dz, Visit visit) const {
    constexpr HarmonicTable slopes = kSlope;
    Number p[L + 1], above[L + 1];  // p_lm and p_l(m + 1)
    PWMLFF_UNROLL(9)
    for (int m = L; m >= 0; --m) {
      fill_column(m, p);
      const Number re_change = m == 0 ? Number{} : Real(m) * (re_[m - 1] * dx - im_[m - 1] * dy);
      const Number im_change = m == 0 ? Number{} : Real(m) * (im_[m - 1] * dx + re_[m - 1] * dy);
      PWMLFF_UNROLL(8)
      for (int l = 1; l <= L; ++l) {
        if (l < m) continue;
        const Number slope = l == m ? Number{} : Real(slopes.of[l][m]) * above[l] * dz;
        if (m == 0) {
          visit(place(l, m), slope);
        } else {
          visit(place(l, m), p[l] * re_change + slope * re_[m]);
          visit(place(l, m) + 1, p[l] * im_change + slope * im_[m]);
        }
      }
      PWMLFF_UNROLL(9)
      for (int l = 0; l <= L; ++l)
        if (l >= m) above[l] = p[l];
    }
  }

  // The derivative [3] of sum_lm h_lm b_lm by the vectors of the pairs, which are 1 / inverse long; factor(place) gives
  // h_lm.
  template <typename FactorOf>
  PWMLFF_INLINE void differentiate(FactorOf factor, Number inverse, Number *by_vector) const {
    const Sum sum = contract(factor);
    const Number radial = sum.value - inverse * (x_ * sum.by_x + y_ * sum.by_y + z_ * sum.by_z);
    by_vector[0] = radial * x_ + inverse * sum.by_x;
    by_vector[1] = radial * y_ + inverse * sum.by_y;
    by_vector[2] = radial * z_ + inverse * sum.by_z;
  }

 private:
  // sum_lm h'_lm b_lm, and the derivatives of sum_lm h_lm b_lm by x, y and z
  struct Sum {
    Number value, by_x, by_y, by_z;
  };

  template <typename FactorOf>
  PWMLFF_INLINE Sum contract(FactorOf factor) const {
    constexpr HarmonicTable slopes = kSlope;
    Sum sum;
    Number p[L + 1], above[L + 1];  // p_lm and p_l(m + 1)
    PWMLFF_UNROLL(9)
    for (int m = L; m >= 0; --m) {
      fill_column(m, p);
      Number real, imaginary, real_value, imaginary_value, real_slope, imaginary_slope;
      PWMLFF_UNROLL(8)
      for (int l = 1; l <= L; ++l) {
        if (l < m) continue;
        const bool is_first = l == m || l == 1;
        const Number slope = l == m ? Number{} : Real(slopes.of[l][m]) * above[l];
        const Factor h = factor(place(l, m));
        add(is_first, p[l] * h.value, real);
        add(is_first, p[l] * h.slope, real_value);
        if (l > m) add(l == m + 1, slope * h.value, real_slope);
        if (m == 0) continue;
        const Factor g = factor(place(l, m) + 1);
        add(is_first, p[l] * g.value, imaginary);
        add(is_first, p[l] * g.slope, imaginary_value);
        if (l > m) add(l == m + 1, slope * g.value, imaginary_slope);
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
      PWMLFF_UNROLL(9)
      for (int l = 0; l <= L; ++l)
        if (l >= m) above[l] = p[l];
    }
    return sum;
  }

  PWMLFF_INLINE static void add(bool is_first, const Number &term, Number &sum) { sum = is_first ? term : sum + term; }

  PWMLFF_INLINE static constexpr int place(int l, int m) { return harmonic_place(l) + (m == 0 ? 0 : 2 * m - 1); }

  // p_lm for l = m..L
  PWMLFF_INLINE void fill_column(int m, Number *p) const {
    constexpr HarmonicTable rise = kRise, fall = kFall;  // copies, since a GPU does not see those outside of functions
    PWMLFF_UNROLL(9)
    for (int l = 0; l <= L; ++l) {
      if (l < m) continue;
      if (l == m)
        p[l] = Number{} + Real(1);
      else if (l == m + 1)
        p[l] = Real(rise.of[l][m]) * z_;
      else
        p[l] = Real(rise.of[l][m]) * z_ * p[l - 1] - Real(fall.of[l][m]) * p[l - 2];
    }
  }

  Number x_, y_, z_;
  Number re_[L + 1], im_[L + 1];  // of (x + iy)^m
};

}  // namespace pwmlff
