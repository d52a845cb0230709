// Products of environment rows [4], features [M] and sums [4, M] of one pair.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

namespace pwmlff::PWMLFF_ISA {

namespace {

// sums[c, m] += row[c] * x[m]; rows of the sums are `stride` long
template <typename Real, typename Wide>
inline void add_outer(const Wide *row, const Real *__restrict x, std::int64_t n_features, Wide *__restrict sums,
                      std::int64_t stride) {
  Wide *__restrict s0 = sums, *__restrict s1 = sums + stride, *__restrict s2 = sums + 2 * stride,
                   *__restrict s3 = sums + 3 * stride;
  const Wide r0 = row[0], r1 = row[1], r2 = row[2], r3 = row[3];
#pragma omp simd
  for (std::int64_t m = 0; m < n_features; ++m) {
    const Wide value = static_cast<Wide>(x[m]);
    s0[m] += r0 * value;
    s1[m] += r1 * value;
    s2[m] += r2 * value;
    s3[m] += r3 * value;
  }
}

// out[m] = sum_c row[c] u[c, m]; rows of u are `stride` long
template <typename Real>
inline void combine_rows(const Real *row, const Real *__restrict u, std::int64_t stride, std::int64_t n_features,
                         Real *__restrict out) {
  const Real *__restrict u0 = u, *__restrict u1 = u + stride, *__restrict u2 = u + 2 * stride,
                         *__restrict u3 = u + 3 * stride;
  const Real r0 = row[0], r1 = row[1], r2 = row[2], r3 = row[3];
#pragma omp simd
  for (std::int64_t m = 0; m < n_features; ++m) out[m] = r0 * u0[m] + r1 * u1[m] + r2 * u2[m] + r3 * u3[m];
}

// out[c] = factor * sum_m u[c, m] x[m]; rows of u are `stride` long
template <typename Real>
inline void project(const Real *__restrict u, std::int64_t stride, const Real *__restrict x, std::int64_t n_features,
                    Real factor, Real *out) {
  const Real *__restrict u0 = u, *__restrict u1 = u + stride, *__restrict u2 = u + 2 * stride,
                         *__restrict u3 = u + 3 * stride;
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
