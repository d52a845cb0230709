// The invariants of NEP's angular descriptor as constants: harmonics, their norms, and products of them.
//
// With the unit vector (x, y, z) of a pair, the sums s_lm = sum_j g(r_j) b_lm(j) are taken over
//
//   b_l0 = p_l0(z),  b_lm = p_lm(z) Re (x + iy)^m  and  p_lm(z) Im (x + iy)^m,  p_lm = a_lm d^m P_l / dz^m
//
// with P_l Legendre's polynomials, in the order m = 0, then Re and Im of m = 1..l, after those of smaller l. The a_lm
// make coefficients whole numbers. Invariants are
//
//   q_l = (2l + 1) / 4 pi sum_jk g(r_j) g(r_k) P_l(cos theta_jk) = sum_m C_lm s_lm^2
//
// and the extras, sums of products of three or four s of smaller l, listed below (Fan et al., J. Chem. Phys. 157,
// 114801, 2022, and GPUMD's manual).
#pragma once

#include "inline.hpp"

namespace pwmlff::nep {

constexpr int kLargestL = 8;

// Harmonics of l = 1..l_max, and the place of the first of them of one l.
PWMLFF_INLINE constexpr int harmonics_up_to(int l_max) {
  return l_max * (l_max + 2);
}
PWMLFF_INLINE constexpr int place_of(int l) {
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

// C_lm, by the addition theorem of Legendre's polynomials
constexpr HarmonicTable kNorm = tabulate(norm_of);

// factor s_i s_j s_k, times s_l where there is a fourth
struct Product {
  double factor;
  int places[4];  // the last one -1 where there are three
};

template <int size>
struct Products {
  static constexpr int count = size;
  Product of[size];
};

constexpr double kA[] = {-.007499480826664, -.134990654879954, .067495327439977, .404971964639861, -.809943929279723};
constexpr Products<8> k222 = {{
    {kA[0], {3, 3, 3, -1}},
    {kA[1], {3, 4, 4, -1}},
    {kA[1], {3, 5, 5, -1}},
    {kA[2], {3, 6, 6, -1}},
    {kA[2], {3, 7, 7, -1}},
    {kA[3], {5, 5, 6, -1}},
    {-kA[3], {4, 4, 6, -1}},
    {kA[4], {4, 5, 7, -1}},
}};

constexpr double kB[] = {.026596810706114, .053193621412227};
constexpr Products<6> k1111 = {{
    {kB[0], {0, 0, 0, 0}},
    {kB[1], {0, 0, 1, 1}},
    {kB[1], {0, 0, 2, 2}},
    {kB[0], {1, 1, 1, 1}},
    {kB[1], {1, 1, 2, 2}},
    {kB[0], {2, 2, 2, 2}},
}};

constexpr double kD[] = {.027493550848847, .164961305093080, -.013746775424423, .041240326273270, .082480652546540};
constexpr Products<8> k112 = {{
    {kD[0], {0, 0, 3, -1}},
    {kD[1], {0, 1, 4, -1}},
    {kD[1], {0, 2, 5, -1}},
    {kD[2], {1, 1, 3, -1}},
    {kD[2], {2, 2, 3, -1}},
    {kD[3], {1, 1, 6, -1}},
    {-kD[3], {2, 2, 6, -1}},
    {kD[4], {1, 2, 7, -1}},
}};

constexpr double kE[] = {-.008418146349617, -.016836292699234, -.033672585398469, -.042090731748086,
                         -.067345170796937, -.084181463496172, -.168362926992344};
constexpr Products<21> k123 = {{
    {kE[6], {2, 4, 12, -1}},  {-kE[6], {2, 5, 11, -1}}, {kE[6], {1, 4, 11, -1}}, {kE[6], {1, 5, 12, -1}},
    {kE[5], {0, 6, 11, -1}},  {kE[5], {0, 7, 12, -1}},  {kE[3], {2, 6, 14, -1}}, {-kE[3], {2, 7, 13, -1}},
    {kE[3], {1, 6, 13, -1}},  {kE[3], {1, 7, 14, -1}},  {kE[4], {0, 5, 10, -1}}, {kE[4], {0, 4, 9, -1}},
    {kE[1], {2, 3, 10, -1}},  {kE[1], {0, 3, 8, -1}},   {kE[1], {1, 3, 9, -1}},  {kE[0], {2, 6, 10, -1}},
    {-kE[0], {1, 7, 10, -1}}, {-kE[0], {2, 7, 9, -1}},  {-kE[0], {1, 6, 9, -1}}, {-kE[2], {2, 5, 8, -1}},
    {-kE[2], {1, 4, 8, -1}},
}};

constexpr double kG[] = {.008572620635186, .009644198214584, .019288396429168, .025717861905558, .026789439484956,
                         .032147327381947, .038576792858337, .128589309527790, .192883964291685, .321473273819474};
constexpr Products<24> k233 = {{
    {kG[0], {3, 8, 8, -1}},    {kG[1], {3, 9, 9, -1}},   {kG[1], {3, 10, 10, -1}}, {kG[2], {6, 9, 9, -1}},
    {-kG[2], {6, 10, 10, -1}}, {kG[3], {4, 8, 9, -1}},   {kG[3], {5, 8, 10, -1}},  {-kG[4], {3, 13, 13, -1}},
    {-kG[4], {3, 14, 14, -1}}, {-kG[5], {7, 9, 14, -1}}, {-kG[5], {6, 9, 13, -1}}, {-kG[5], {6, 10, 14, -1}},
    {kG[5], {7, 10, 13, -1}},  {kG[6], {7, 9, 10, -1}},  {-kG[7], {6, 8, 11, -1}}, {-kG[7], {7, 8, 12, -1}},
    {kG[8], {4, 9, 11, -1}},   {kG[8], {5, 9, 12, -1}},  {kG[8], {4, 10, 12, -1}}, {-kG[8], {5, 10, 11, -1}},
    {kG[9], {4, 12, 14, -1}},  {kG[9], {5, 11, 14, -1}}, {kG[9], {4, 11, 13, -1}}, {-kG[9], {5, 12, 13, -1}},
}};

constexpr double kH[] = {.003645164295772, .004860219061029, .006075273826286, .018225821478859, .024301095305146,
                         .036451642957719, .042526916784005, .072903285915437, .085053833568010, .255161500704030};
constexpr Products<31> k134 = {{
    {-kH[0], {2, 10, 15, -1}}, {-kH[0], {1, 9, 15, -1}},  {kH[1], {0, 8, 15, -1}},  {-kH[2], {1, 13, 18, -1}},
    {-kH[2], {1, 14, 19, -1}}, {-kH[2], {2, 14, 18, -1}}, {kH[2], {2, 13, 19, -1}}, {-kH[3], {2, 10, 18, -1}},
    {kH[3], {1, 10, 19, -1}},  {kH[3], {1, 9, 18, -1}},   {kH[3], {2, 9, 19, -1}},  {kH[4], {1, 8, 16, -1}},
    {kH[4], {2, 8, 17, -1}},   {kH[5], {0, 10, 17, -1}},  {kH[5], {0, 9, 16, -1}},  {-kH[5], {1, 11, 16, -1}},
    {-kH[5], {1, 12, 17, -1}}, {-kH[5], {2, 12, 16, -1}}, {kH[5], {2, 11, 17, -1}}, {kH[6], {1, 13, 22, -1}},
    {kH[6], {1, 14, 23, -1}},  {-kH[6], {2, 14, 22, -1}}, {kH[6], {2, 13, 23, -1}}, {kH[7], {0, 11, 18, -1}},
    {kH[7], {0, 12, 19, -1}},  {kH[8], {0, 13, 20, -1}},  {kH[8], {0, 14, 21, -1}}, {kH[9], {1, 11, 20, -1}},
    {kH[9], {1, 12, 21, -1}},  {-kH[9], {2, 12, 20, -1}}, {kH[9], {2, 11, 21, -1}},
}};

// In the order of the descriptor; each needs harmonics up to its largest l.
constexpr int kExtras = 6;
constexpr const char *kExtraNames[kExtras] = {"222", "1111", "112", "123", "233", "134"};
constexpr int kExtraLeastL[kExtras] = {2, 1, 2, 3, 3, 4};

}  // namespace pwmlff::nep
