// The kernel of kalman.hpp.
#include "gemm.hpp"
#include "kalman.hpp"
#include "kernel.hpp"

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

// Asks for memory that will be written to soon.
template <typename Real>
void prefetch(const Real *from, std::int64_t size) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(Real));
  for (std::int64_t l = 0; l < size; l += line) __builtin_prefetch(from + l, 1, 2);
}

// One tile with at most one column of W and one of H: everything passes through registers once, while the same rows of
// the next tile are on their way.
template <typename Real, bool Downdate, bool Diagonal>
void scalar_tile(Real *tile, const Real *next, const Real *minus_w, const Real *w, const Real *row_direction,
                 const Real *column_direction, Real *row_product, Real *column_product) {
  using Vector = typename VectorOf<Real>::type;
  constexpr std::int64_t lanes = kLanes<Real>;
  for (std::int64_t i = 0; i < kSide; i += kRows) {
    prefetch(next + i * kSide, kRows * kSide);
    Vector sum[kRows] = {};
    for (std::int64_t j = 0; j < kSide; j += lanes) {
      const Vector direction = load(column_direction + j);
      Vector product = Diagonal ? Vector{} : load(column_product + j);
      for (int r = 0; r < kRows; ++r) {
        Real *stored = tile + (i + r) * kSide + j;
        Vector value = load(stored);
        if (Downdate) {
          value += minus_w[i + r] * load(w + j);
          store(stored, value);
        }
        sum[r] += value * direction;
        if (!Diagonal) product += value * row_direction[i + r];
      }
      if (!Diagonal) store(column_product + j, product);
    }
    for (int r = 0; r < kRows; ++r)
      for (std::int64_t l = 0; l < lanes; ++l) row_product[i + r] += sum[r][l];
  }
}

template <typename Real, bool Downdate>
void scalar_sweep(const KalmanSweep<Real> &sweep, std::int64_t first, std::int64_t last) {
  Real *products = sweep.products;
  Place place(first);
  for (std::int64_t index = first; index < last; ++index, place.advance()) {
    Real *tile = sweep.tiles + index * kSide * kSide;
    const Real *next = index + 1 < last ? tile + kSide * kSide : tile;
    const std::int64_t i = place.row * kSide, j = place.column * kSide;
    const Real *h = sweep.directions, *minus_w = Downdate ? sweep.minus_w + i : nullptr,
               *w = Downdate ? sweep.w_transposed + j : nullptr;
    if (i == j)
      scalar_tile<Real, Downdate, true>(tile, next, minus_w, w, h + i, h + j, products + i, products + j);
    else
      scalar_tile<Real, Downdate, false>(tile, next, minus_w, w, h + i, h + j, products + i, products + j);
  }
}

// Where some rows of a tile meet one vector of columns of H and Y: those of the tile's rows, and those of its columns.
template <typename Real>
struct Columns {
  const Real *row_direction, *column_direction;
  Real *row_product, *column_product;
  std::int64_t stride;  // of all of them
};

// P <- P - W W^T for some rows of a tile, then adds P h to y, and P^T h unless the tile is one of the diagonal: each
// number of P is fetched once for all, while it is in the first cache. A rank of 0 leaves P as it is.
template <typename Real, int Rows, bool Diagonal>
void sweep_rows(Real *p, const Real *minus_w, const Real *w, std::int64_t rank, const Columns<Real> &columns) {
  using Vector = typename VectorOf<Real>::type;
  constexpr std::int64_t lanes = kLanes<Real>;
  const std::int64_t stride = columns.stride;
  Vector direction[Rows], sum[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    direction[r] = load(columns.row_direction + r * stride);
    sum[r] = Vector{};
  }
  for (std::int64_t j0 = 0; j0 < kSide; j0 += lanes) {
    if (rank > 0) {
      Vector value[Rows];
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) value[r] = load(p + r * kSide + j0);
      for (std::int64_t k = 0; k < rank; ++k) {
        const Vector other = load(w + k * kSide + j0);
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) value[r] += minus_w[r * rank + k] * other;
      }
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) store(p + r * kSide + j0, value[r]);
    }
    for (std::int64_t j = j0; j < j0 + lanes; ++j) {
      const Vector other = load(columns.column_direction + j * stride);
      Vector product = Diagonal ? Vector{} : load(columns.column_product + j * stride);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Real value = p[r * kSide + j];
        sum[r] += value * other;
        if (!Diagonal) product += value * direction[r];
      }
      if (!Diagonal) store(columns.column_product + j * stride, product);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    Real *to = columns.row_product + r * stride;
    store(to, load(to) + sum[r]);
  }
}

// Any number of columns, for some rows of a tile while they are in the first cache and the same rows of the next tile
// are on their way.
template <typename Real>
void matrix_sweep(const KalmanSweep<Real> &sweep, std::int64_t first, std::int64_t last) {
  constexpr std::int64_t rows = kTileRows;
  const std::int64_t rank = sweep.rank, m = sweep.n_directions, one = 1;
  Real *products = sweep.products;
  Place place(first);
  for (std::int64_t index = first; index < last; ++index, place.advance()) {
    Real *tile = sweep.tiles + index * kSide * kSide;
    const Real *next = index + 1 < last ? tile + kSide * kSide : tile;
    const std::int64_t j = place.column * kSide;
    const Real *w = sweep.w_transposed + j * rank;
    for (std::int64_t row = 0; row < kSide; row += rows) {
      Real *p = tile + row * kSide;
      const std::int64_t i = place.row * kSide + row;
      const Real *minus_w = sweep.minus_w + i * rank;
      prefetch(next + row * kSide, rows * kSide);
      if (m == 0) multiply(rows, kSide, rank, minus_w, rank, one, w, kSide, p, kSide, true);
      for (std::int64_t c = 0; c < m; c += kLanes<Real>) {
        const Columns<Real> columns{sweep.directions + i * m + c, sweep.directions + j * m + c, products + i * m + c,
                                    products + j * m + c, m};
        if (place.row == place.column)
          sweep_rows<Real, kTileRows, true>(p, minus_w, w, c == 0 ? rank : 0, columns);
        else
          sweep_rows<Real, kTileRows, false>(p, minus_w, w, c == 0 ? rank : 0, columns);
      }
    }
  }
}

template <typename Real>
void run(const KalmanSweep<Real> &sweep, std::int64_t first, std::int64_t last) {
  if (sweep.n_directions == 1 && sweep.rank == 0)
    scalar_sweep<Real, false>(sweep, first, last);
  else if (sweep.n_directions == 1 && sweep.rank == 1)
    scalar_sweep<Real, true>(sweep, first, last);
  else
    matrix_sweep(sweep, first, last);
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA

PWMLFF_KERNEL(KalmanSweep)
