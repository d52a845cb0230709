// The descriptor D = A^T A_< of an atom and its derivatives. It is stored axis feature by axis feature: M2 rows of M
// numbers, and room behind them for a vector that begins in the last one. A has four rows of `stride` numbers, the
// features padded to whole vectors.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gemm.hpp"
#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real>
struct Descriptor {
  using Vector = typename VectorOf<Real>::type;
  static constexpr std::int64_t lanes = kLanes<Real>;

  std::int64_t n_features, n_axis, stride;

  std::int64_t length() const { return n_features * n_axis; }

  // D[q, m] = sum_c A[c, q] A[c, m]; a vector that reaches beyond the features is overwritten by the next row
  void describe(const Real *a, Real *d) const {
    for (std::int64_t q = 0; q < n_axis; ++q)
      for (std::int64_t m = 0; m < n_features; m += lanes) {
        Vector sum = {};
        for (int c = 0; c < 4; ++c) sum += a[c * stride + q] * load(a + c * stride + m);
        store(d + q * n_features + m, sum);
      }
  }

  // The derivative of D where A changes as a1
  void describe_tangent(const Real *a, const Real *a1, Real *d1) const {
    for (std::int64_t q = 0; q < n_axis; ++q)
      for (std::int64_t m = 0; m < n_features; m += lanes) {
        Vector sum = {};
        for (int c = 0; c < 4; ++c)
          sum += a1[c * stride + q] * load(a + c * stride + m) + a[c * stride + q] * load(a1 + c * stride + m);
        store(d1 + q * n_features + m, sum);
      }
  }

  // u[c, m] (+)= sum_q g[q, m] A[c, q], and for axis features also sum_m' g[m, m'] A[c, m'], where g = dE/dD.
  // What a vector reads beyond the features is another row or older than this chunk, and may be NaN: it is cut off.
  template <bool Accumulate>
  void differentiate(const Real *a, const Real *g, Real *u) const {
    for (std::int64_t m = 0; m < n_features; m += lanes) {
      Vector sum[4] = {};
      if (Accumulate)
        for (int c = 0; c < 4; ++c) sum[c] = load(u + c * stride + m);
      for (std::int64_t q = 0; q < n_axis; ++q) {
        const Vector gradient = load(g + q * n_features + m);
        for (int c = 0; c < 4; ++c) sum[c] += a[c * stride + q] * gradient;
      }
      for (int c = 0; c < 4; ++c) store(u + c * stride + m, sum[c]);
    }
    for (int c = 0; c < 4; ++c) std::fill(u + c * stride + n_features, u + (c + 1) * stride, Real(0));
    for (std::int64_t q = 0; q < n_axis; ++q)
      for (int c = 0; c < 4; ++c) u[c * stride + q] += dot(g + q * n_features, a + c * stride, n_features);
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
