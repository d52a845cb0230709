// Products of environment rows [4], features [M] and sums [4, M] of one pair.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

#include "gemm.hpp"

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

// by_row[c] = sum_m u[c, m] x[m]; returns sum_m (sum_c row[c] u[c, m]) slope[m]. All of `stride` numbers, whole
// vectors.
template <typename Real>
inline Real project_pair(const Real *row, const Real *u, const Real *x, const Real *slope, std::int64_t stride,
                         Real *by_row) {
  using Vector = typename VectorOf<Real>::type;
  Vector sum[4] = {}, by_input = {};
  for (std::int64_t m = 0; m < stride; m += kLanes<Real>) {
    const Vector value = load(x + m);
    Vector factor = {};
    for (int c = 0; c < 4; ++c) {
      const Vector gradient = load(u + c * stride + m);
      sum[c] += gradient * value;
      factor += row[c] * gradient;
    }
    by_input += factor * load(slope + m);
  }
  for (int c = 0; c < 4; ++c) by_row[c] = total<Real>(sum[c]);
  return total<Real>(by_input);
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
