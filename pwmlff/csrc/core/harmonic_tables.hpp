// Real spherical harmonics as constants: their recursions, and their norms.
//
// Of the unit vector (x, y, z)
//
//   b_l0 = p_l0(z),  b_lm = p_lm(z) Re (x + iy)^m  and  p_lm(z) Im (x + iy)^m,  p_lm = a_lm d^m P_l / dz^m
//
// with P_l Legendre's polynomials, in the order m = 0, then Re and Im of m = 1..l, after those of smaller l; b_00 = 1
// is left out. The a_lm make coefficients whole numbers. By the addition theorem, with theta the angle between j and k,
//
//   (2l + 1) / 4 pi P_l(cos theta) = sum_m C_lm b_lm(j) b_lm(k)
#pragma once

#include "inline.hpp"

namespace pwmlff {

constexpr int kLargestL = 8;

// Harmonics of l = 1..l_max, and the place of the first of one l.
PWMLFF_INLINE constexpr int harmonics_up_to(int l_max) {
  return l_max * (l_max + 2);
}
PWMLFF_INLINE constexpr int harmonic_place(int l) {
  return l * l - 1;
}

// Leading coefficient of p_lm, [l][m]; p_00 = 1.
constexpr double kLeading[kLargestL + 1][kLargestL + 1] = {
    {1},
    {1, 1},
    {3, 1, 1},
    {5, 5, 1, 1},
    {35, 7, 7, 1, 1},
    {63, 21, 3, 9, 1, 1},
    {231, 33, 33, 11, 11, 1, 1},
    {429, 429, 143, 143, 13, 13, 1, 1},
    {6435, 715, 143, 39, 65, 5, 15, 1, 1},
};

constexpr double factorial(int n) {
  return n < 2 ? 1.0 : n * factorial(n - 1);
}

// a_lm: d^m P_l / dz^m begins with (2l)! / (2^l l! (l - m)!) z^(l - m)
constexpr double harmonic_scale(int l, int m) {
  return kLeading[l][m] * (1 << l) * factorial(l) * factorial(l - m) / factorial(2 * l);
}

constexpr double rise_of(int l, int m) {
  return l <= m ? 0.0 : kLeading[l][m] / kLeading[l - 1][m];
}
constexpr double fall_of(int l, int m) {
  return l < m + 2 ? 0.0 : (l + m - 1.0) / (l - m) * harmonic_scale(l, m) / harmonic_scale(l - 2, m);
}
constexpr double slope_of(int l, int m) {
  return l <= m ? 0.0 : (l - m) * kLeading[l][m] / kLeading[l][m + 1];
}
constexpr double norm_of(int l, int m) {
  constexpr double four_pi = 12.566370614359172;
  const double a = harmonic_scale(l, m);
  return (2 * l + 1) / four_pi * (m == 0 ? 1 : 2) * factorial(l - m) / (factorial(l + m) * a * a);
}

struct HarmonicTable {
  double of[kLargestL + 1][kLargestL + 1];  // [l][m]
};

constexpr HarmonicTable tabulate(double (*entry)(int, int)) {
  HarmonicTable table{};
  for (int l = 0; l <= kLargestL; ++l)
    for (int m = 0; m <= l; ++m) table.of[l][m] = entry(l, m);
  return table;
}

// p_lm = rise z p_(l-1)m - fall p_(l-2)m and dp_lm/dz = slope p_l(m+1) for m < l, where p_ll = 1
constexpr HarmonicTable kRise = tabulate(rise_of), kFall = tabulate(fall_of), kSlope = tabulate(slope_of);

// C_lm
constexpr HarmonicTable kNorm = tabulate(norm_of);

}  // namespace pwmlff
