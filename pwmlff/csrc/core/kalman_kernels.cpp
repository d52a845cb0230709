// Kernels of kalman.hpp, compiled once per instruction set in the namespace PWMLFF_ISA.
#include "kalman_kernels.hpp"

#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

constexpr std::int64_t kSide = kKalmanTile;
constexpr int kRows = 4;  // rows of a tile in flight: their sums stay in registers

// Place (row, column) in the lower triangle of tiles, and the step to the next tile.
struct Place {
  std::int64_t row = 0, column = 0;

  explicit Place(std::int64_t tile) {
    while (kalman_tile_count(row + 1) <= tile) ++row;
    column = tile - kalman_tile_count(row);
  }
  void advance() {
    if (++column > row) {
      ++row;
      column = 0;
    }
  }
};

// One tile with at most one column of W and one of H: everything passes through registers once.
template <typename Real, bool Downdate, bool Diagonal>
void scalar_tile(Real *tile, const Real *minus_w, const Real *w, const Real *row_direction,
                 const Real *column_direction, Real *row_product, Real *column_product) {
  using Vector = typename VectorOf<Real>::type;
  constexpr std::int64_t lanes = kLanes<Real>;
  for (std::int64_t i = 0; i < kSide; i += kRows) {
    Vector sum[kRows] = {};
    for (std::int64_t j = 0; j < kSide; j += lanes) {
      const Vector direction = *reinterpret_cast<const Vector *>(column_direction + j);
      Vector product = Diagonal ? Vector{} : *reinterpret_cast<const Vector *>(column_product + j);
      for (int r = 0; r < kRows; ++r) {
        Vector &stored = *reinterpret_cast<Vector *>(tile + (i + r) * kSide + j);
        Vector value = stored;
        if (Downdate) {
          value += minus_w[i + r] * *reinterpret_cast<const Vector *>(w + j);
          stored = value;
        }
        sum[r] += value * direction;
        if (!Diagonal) product += value * row_direction[i + r];
      }
      if (!Diagonal) *reinterpret_cast<Vector *>(column_product + j) = product;
    }
    for (int r = 0; r < kRows; ++r)
      for (std::int64_t l = 0; l < lanes; ++l) row_product[i + r] += sum[r][l];
  }
}

template <typename Real, bool Downdate>
void scalar_sweep(const KalmanSweep<Real> &sweep, Real *products, std::int64_t first, std::int64_t last) {
  Place place(first);
  for (std::int64_t index = first; index < last; ++index, place.advance()) {
    Real *tile = sweep.tiles + index * kSide * kSide;
    const std::int64_t i = place.row * kSide, j = place.column * kSide;
    const Real *h = sweep.directions, *minus_w = Downdate ? sweep.minus_w + i : nullptr,
               *w = Downdate ? sweep.w_transposed + j : nullptr;
    if (i == j)
      scalar_tile<Real, Downdate, true>(tile, minus_w, w, h + i, h + j, products + i, products + j);
    else
      scalar_tile<Real, Downdate, false>(tile, minus_w, w, h + i, h + j, products + i, products + j);
  }
}

// Any number of columns: three small matrix products per tile while it is in the cache.
template <typename Real>
void matrix_sweep(const KalmanSweep<Real> &sweep, Real *products, std::int64_t first, std::int64_t last) {
  const std::int64_t rank = sweep.rank, m = sweep.n_directions;
  Place place(first);
  for (std::int64_t index = first; index < last; ++index, place.advance()) {
    Real *tile = sweep.tiles + index * kSide * kSide;
    const std::int64_t i = place.row * kSide, j = place.column * kSide;
    if (rank > 0)
      multiply(kSide, kSide, rank, sweep.minus_w + i * rank, rank, std::int64_t{1}, sweep.w_transposed + j, sweep.n,
               tile, kSide, true);
    if (m == 0) continue;
    multiply(kSide, m, kSide, tile, kSide, std::int64_t{1}, sweep.directions + j * m, m, products + i * m, m, true);
    if (i != j)
      multiply(kSide, m, kSide, tile, std::int64_t{1}, kSide, sweep.directions + i * m, m, products + j * m, m, true);
  }
}

}  // namespace

template <typename Real>
void kalman_sweep(const KalmanSweep<Real> &sweep, Real *products, std::int64_t first, std::int64_t last) {
  if (sweep.n_directions == 1 && sweep.rank == 0)
    scalar_sweep<Real, false>(sweep, products, first, last);
  else if (sweep.n_directions == 1 && sweep.rank == 1)
    scalar_sweep<Real, true>(sweep, products, first, last);
  else
    matrix_sweep(sweep, products, first, last);
}

template void kalman_sweep<double>(const KalmanSweep<double> &, double *, std::int64_t, std::int64_t);
template void kalman_sweep<float>(const KalmanSweep<float> &, float *, std::int64_t, std::int64_t);

}  // namespace pwmlff::PWMLFF_ISA
