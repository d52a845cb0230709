// Products of environment rows [4], features [M] and sums [4, M] of one pair.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

namespace pwmlff::PWMLFF_ISA {

namespace {

// sums[c, m] += row[c] * x[m]
template <typename Real>
inline void add_outer(const Real *row, const Real *__restrict x, std::int64_t n_features, Real *__restrict sums) {
  Real *__restrict s0 = sums, *__restrict s1 = sums + n_features, *__restrict s2 = sums + 2 * n_features,
                   *__restrict s3 = sums + 3 * n_features;
  const Real r0 = row[0], r1 = row[1], r2 = row[2], r3 = row[3];
#pragma omp simd
  for (std::int64_t m = 0; m < n_features; ++m) {
    s0[m] += r0 * x[m];
    s1[m] += r1 * x[m];
    s2[m] += r2 * x[m];
    s3[m] += r3 * x[m];
  }
}

// out[m] = sum_c row[c] u[c, m]
template <typename Real>
inline void combine_rows(const Real *row, const Real *__restrict u, std::int64_t n_features, Real *__restrict out) {
  const Real *__restrict u0 = u, *__restrict u1 = u + n_features, *__restrict u2 = u + 2 * n_features,
                         *__restrict u3 = u + 3 * n_features;
  const Real r0 = row[0], r1 = row[1], r2 = row[2], r3 = row[3];
#pragma omp simd
  for (std::int64_t m = 0; m < n_features; ++m) out[m] = r0 * u0[m] + r1 * u1[m] + r2 * u2[m] + r3 * u3[m];
}

// out[c] = factor * sum_m u[c, m] x[m]
template <typename Real>
inline void project(const Real *__restrict u, const Real *__restrict x, std::int64_t n_features, Real factor,
                    Real *out) {
  const Real *__restrict u0 = u, *__restrict u1 = u + n_features, *__restrict u2 = u + 2 * n_features,
                         *__restrict u3 = u + 3 * n_features;
  Real t0 = 0, t1 = 0, t2 = 0, t3 = 0;
#pragma omp simd reduction(+ : t0, t1, t2, t3)
  for (std::int64_t m = 0; m < n_features; ++m) {
    t0 += u0[m] * x[m];
    t1 += u1[m] * x[m];
    t2 += u2[m] * x[m];
    t3 += u3[m] * x[m];
  }
  out[0] = factor * t0;
  out[1] = factor * t1;
  out[2] = factor * t2;
  out[3] = factor * t3;
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
