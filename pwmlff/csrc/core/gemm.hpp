// Small matrix products in registers, for matrices that fit the cache.
//
// Included only by files compiled once per instruction set: everything is in the namespace PWMLFF_ISA.
// Own kernels rather than BLAS: inside LAMMPS the name dgemm_ may resolve to an unoptimised copy.
#pragma once

#include <cstdint>
#include <cstring>

namespace pwmlff::PWMLFF_ISA {

#if defined(__AVX512F__)
constexpr std::int64_t kVectorBytes = 64;
constexpr int kTileRows = 8;
#elif defined(__AVX2__)
constexpr std::int64_t kVectorBytes = 32;
constexpr int kTileRows = 4;
#else
constexpr std::int64_t kVectorBytes = 16;
constexpr int kTileRows = 4;
#endif
constexpr int kTileVectors = 3;

template <typename Real>
constexpr std::int64_t kLanes = kVectorBytes / static_cast<std::int64_t>(sizeof(Real));

// A vector wherever it lies in memory, and one that is only ever a value, such as templates take.
template <typename Real, std::int64_t lanes = kLanes<Real>>
struct VectorOf;
template <std::int64_t lanes>
struct VectorOf<double, lanes> {
  typedef double value __attribute__((vector_size(8 * lanes)));
  typedef double type __attribute__((vector_size(8 * lanes), aligned(8), may_alias));
};
template <std::int64_t lanes>
struct VectorOf<float, lanes> {
  typedef float value __attribute__((vector_size(4 * lanes)));
  typedef float type __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
};

template <typename Real, std::int64_t lanes = kLanes<Real>>
inline typename VectorOf<Real, lanes>::type load(const Real *from) {
  return *reinterpret_cast<const typename VectorOf<Real, lanes>::type *>(from);
}

template <typename Real, std::int64_t lanes = kLanes<Real>>
inline void store(Real *to, const typename VectorOf<Real, lanes>::type &vector) {
  *reinterpret_cast<typename VectorOf<Real, lanes>::type *>(to) = vector;
}

// The sum of the numbers of a vector.
template <typename Real>
inline Real total(const typename VectorOf<Real>::value &vector) {
  Real sum = 0;
  for (std::int64_t l = 0; l < kLanes<Real>; ++l) sum += vector[l];
  return sum;
}

// The next multiple of the vector width.
template <typename Real>
constexpr std::int64_t padded(std::int64_t n) {
  return (n + kLanes<Real> - 1) / kLanes<Real> * kLanes<Real>;
}

// Vectors for what is few: of as many numbers for float as for double.
constexpr std::int64_t kFew = kLanes<double>;

template <typename Real>
using FewVector = typename VectorOf<Real, kFew>::type;
template <typename Real>
using FewValue = typename VectorOf<Real, kFew>::value;

constexpr std::int64_t padded_few(std::int64_t n) {
  return padded<double>(n);
}

// C (+)= A B for one tile of Rows x (Vectors * lanes). Unrolled by order: otherwise gcc keeps the sums in memory.
template <typename Real, std::int64_t lanes, int Rows, int Vectors>
inline void multiply_tile(std::int64_t depth, const Real *a, std::int64_t a_row, std::int64_t a_column, const Real *b,
                          std::int64_t b_row, Real *c, std::int64_t c_row, bool accumulate) {
  using Vector = typename VectorOf<Real, lanes>::type;
  Vector sum[Rows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) sum[i][v] = accumulate ? load<Real, lanes>(c + i * c_row + v * lanes) : Vector{};
  for (std::int64_t l = 0; l < depth; ++l) {
    Vector row[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) row[v] = load<Real, lanes>(b + l * b_row + v * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const Real factor = a[i * a_row + l * a_column];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sum[i][v] += factor * row[v];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) store<Real, lanes>(c + i * c_row + v * lanes, sum[i][v]);
}

template <typename Real, std::int64_t lanes, int Vectors>
inline void multiply_columns(std::int64_t rows, std::int64_t depth, const Real *a, std::int64_t a_row,
                             std::int64_t a_column, const Real *b, std::int64_t b_row, Real *c, std::int64_t c_row,
                             bool accumulate) {
  std::int64_t i = 0;
  for (; i + kTileRows <= rows; i += kTileRows)
    multiply_tile<Real, lanes, kTileRows, Vectors>(depth, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row,
                                                   c_row, accumulate);
  if constexpr (kTileRows > 4)
    for (; i + 4 <= rows; i += 4)
      multiply_tile<Real, lanes, 4, Vectors>(depth, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row,
                                             accumulate);
  for (; i + 2 <= rows; i += 2)
    multiply_tile<Real, lanes, 2, Vectors>(depth, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row,
                                           accumulate);
  for (; i < rows; ++i)
    multiply_tile<Real, lanes, 1, Vectors>(depth, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row,
                                           accumulate);
}

// C[i, j] (+)= sum_l A(i, l) B[l, j], A(i, l) = a[i * a_row + l * a_column]; columns must be a multiple of the lanes.
template <typename Real, std::int64_t lanes = kLanes<Real>>
void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Real *a, std::int64_t a_row,
              std::int64_t a_column, const Real *b, std::int64_t b_row, Real *c, std::int64_t c_row, bool accumulate) {
  std::int64_t j = 0;
  for (; j + kTileVectors * lanes <= columns && j + 4 * lanes != columns; j += kTileVectors * lanes)  // 4 = 2 + 2
    multiply_columns<Real, lanes, kTileVectors>(rows, depth, a, a_row, a_column, b + j, b_row, c + j, c_row,
                                                accumulate);
  for (; j + 2 * lanes <= columns; j += 2 * lanes)
    multiply_columns<Real, lanes, 2>(rows, depth, a, a_row, a_column, b + j, b_row, c + j, c_row, accumulate);
  for (; j < columns; j += lanes)
    multiply_columns<Real, lanes, 1>(rows, depth, a, a_row, a_column, b + j, b_row, c + j, c_row, accumulate);
}

}  // namespace pwmlff::PWMLFF_ISA
