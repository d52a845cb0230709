// Covariance of a Kalman filter: P <- P - W W^T and Y = P H in one pass over half of P.
//
// P [n, n] is symmetric; only the tiles (I, J), J <= I, of its lower triangle are stored, tile after tile in the order
// (0,0), (1,0), (1,1), (2,0), ..., each [kKalmanTile, kKalmanTile] by rows, those of the diagonal whole. Rows beyond n
// fill the last tiles with zeros. Each number of P is read once and written once, however many columns W and H have.
//
// Letters: n padded to whole tiles, k columns of W, m columns of H.
#pragma once

#include <cstdint>

namespace pwmlff {

constexpr std::int64_t kKalmanTile = 64;  // 32 KiB in double: a tile stays in the first cache while it is worked on

// Columns of H come in multiples of this, zeros where there are fewer.
template <typename Real>
constexpr std::int64_t kKalmanColumns = 64 / static_cast<std::int64_t>(sizeof(Real));

// Works on tiles, and adds their share of P H to the products.
template <typename Real>
struct KalmanSweep {
  Real *tiles;
  const Real *minus_w;        // -W [n, k]
  const Real *w_transposed;   // W^T tile by tile, [n / kKalmanTile, k, kKalmanTile]
  std::int64_t n, rank;       // n and k
  const Real *directions;     // H [n, m]
  std::int64_t n_directions;  // m: 0, a multiple of kKalmanColumns, or 1 where k is 0 or 1
  Real *products;             // [n, m]
};

constexpr std::int64_t kalman_tile_count(std::int64_t n_rows) {
  return n_rows * (n_rows + 1) / 2;
}

}  // namespace pwmlff
