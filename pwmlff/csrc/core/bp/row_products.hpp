// Sums of products of rows of numbers, and of the lanes of vectors.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// to[i, k, lane] += sum over vectors of a[i] b[k]
template <typename Real, int Rows, int Columns>
inline void add_tile(std::int64_t n_vectors, const Real *const *a, const Real *const *b, Real *to,
                     std::int64_t to_row) {
  using Vector = typename VectorOf<Real>::type;
  Vector sum[Rows][Columns];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int k = 0; k < Columns; ++k) sum[i][k] = load(to + i * to_row + k * kLanes<Real>);
  for (std::int64_t at = 0; at < n_vectors * kLanes<Real>; at += kLanes<Real>) {
    Vector of_b[Columns];
#pragma GCC unroll 4
    for (int k = 0; k < Columns; ++k) of_b[k] = load(b[k] + at);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      const Vector of_a = load(a[i] + at);
#pragma GCC unroll 4
      for (int k = 0; k < Columns; ++k) sum[i][k] += of_a * of_b[k];
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int k = 0; k < Columns; ++k) store(to + i * to_row + k * kLanes<Real>, sum[i][k]);
}

// Calls `function` with a number of 1 to 4 as a constant.
template <typename Function>
inline void with_count(std::int64_t count, Function function) {
  switch (count) {
    case 1: return function(std::integral_constant<int, 1>());
    case 2: return function(std::integral_constant<int, 2>());
    case 3: return function(std::integral_constant<int, 3>());
    default: return function(std::integral_constant<int, 4>());
  }
}

// Of rows a and b; to [n_a, n_b, lanes].
template <typename Real>
void add_products(std::int64_t n_vectors, const std::vector<const Real *> &a, const std::vector<const Real *> &b,
                  Real *to) {
  constexpr std::int64_t kRows = kVectorBytes == 64 ? 4 : 2, kColumns = 4;
  const auto n_a = static_cast<std::int64_t>(a.size()), n_b = static_cast<std::int64_t>(b.size());
  const std::int64_t to_row = n_b * kLanes<Real>;
  for (std::int64_t i = 0; i < n_a; i += kRows)
    for (std::int64_t k = 0; k < n_b; k += kColumns)
      with_count(std::min(kRows, n_a - i), [&](auto rows) {
        with_count(std::min(kColumns, n_b - k), [&](auto columns) {
          add_tile<Real, decltype(rows)::value, decltype(columns)::value>(n_vectors, a.data() + i, b.data() + k,
                                                                          to + i * to_row + k * kLanes<Real>, to_row);
        });
      });
}

// The sum of the lanes of a vector, by halves.
template <typename Real, std::int64_t lanes = kLanes<Real>>
inline Real sum_of_lanes(const Real *from) {
  if constexpr (lanes == 2) {
    return from[0] + from[1];
  } else {
    Real halves[lanes / 2];
    store<Real, lanes / 2>(halves, load<Real, lanes / 2>(from) + load<Real, lanes / 2>(from + lanes / 2));
    return sum_of_lanes<Real, lanes / 2>(halves);
  }
}

template <typename Real>
inline Real sum_of_lanes(const typename VectorOf<Real>::type &vector) {
  Real lanes[kLanes<Real>];
  store(lanes, vector);
  return sum_of_lanes<Real>(lanes);
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
