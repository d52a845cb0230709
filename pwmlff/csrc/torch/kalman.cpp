// torch.ops.pwmlff.kalman_sweep: pads and lays out its arguments, and deals the tiles to threads.
#include "kalman.hpp"

#include <torch/library.h>

#include "torch/tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;

constexpr std::int64_t kTilesPerTask = 16;  // fewer are not worth a thread

// The width the kernel wants; a single column is kept as it is where the kernel has a way for it.
std::int64_t padded_columns(std::int64_t m, std::int64_t rank, at::ScalarType dtype) {
  const std::int64_t columns = dtype == at::kDouble ? kKalmanColumns<double> : kKalmanColumns<float>;
  return m == 0 || (m == 1 && rank <= 1) ? m : (m + columns - 1) / columns * columns;
}

// A copy by rows of a matrix in any order; a loop of its own, since at::copy_ is slow where rows are short.
Tensor padded(const Tensor &matrix, std::int64_t n, std::int64_t columns) {
  if (matrix.size(0) == n && matrix.size(1) == columns && matrix.is_contiguous()) return matrix;
  const Tensor result = at::zeros({n, columns}, matrix.options());
  AT_DISPATCH_FLOATING_TYPES(matrix.scalar_type(), "kalman_sweep", [&] {
    const auto from = matrix.accessor<const scalar_t, 2>();
    scalar_t *to = result.data_ptr<scalar_t>();
    for (std::int64_t i = 0; i < from.size(0); ++i, to += columns)
      for (std::int64_t j = 0; j < from.size(1); ++j) to[j] = from[i][j];
  });
  return result;
}

void check(const Tensor &tiles, const Tensor &downdate, const Tensor &directions, std::int64_t n) {
  TORCH_CHECK(tiles.dim() == 3 && tiles.size(1) == kKalmanTile && tiles.size(2) == kKalmanTile && tiles.is_contiguous(),
              "kalman_sweep expects contiguous tiles [n, ", kKalmanTile, ", ", kKalmanTile, "], got ", tiles.sizes());
  TORCH_CHECK(downdate.dim() == 2 && directions.dim() == 2 && downdate.size(0) == directions.size(0),
              "kalman_sweep expects downdate [n, k] and directions [n, m], got ", downdate.sizes(), " and ",
              directions.sizes());
  TORCH_CHECK(tiles.size(0) == kalman_tile_count(n / kKalmanTile), "kalman_sweep expects ",
              kalman_tile_count(n / kKalmanTile), " tiles for ", directions.size(0), " rows, got ", tiles.size(0));
  TORCH_CHECK(tiles.scalar_type() == downdate.scalar_type() && tiles.scalar_type() == directions.scalar_type(),
              "kalman_sweep: tiles, downdate and directions must have one dtype");
}

Tensor sweep_cpu(Tensor &tiles, const Tensor &downdate, const Tensor &directions) {
  const std::int64_t n_rows = directions.size(0), m = directions.size(1), rank = downdate.size(1);
  const std::int64_t width = padded_columns(m, rank, directions.scalar_type());
  const std::int64_t n = (n_rows + kKalmanTile - 1) / kKalmanTile * kKalmanTile;
  check(tiles, downdate, directions, n);
  const Tensor w = padded(downdate, n, rank), h = padded(directions, n, width), minus_w = w.neg();
  const Tensor w_transposed = w.view({n / kKalmanTile, kKalmanTile, rank}).transpose(1, 2).contiguous();
  const auto bounds = even_bounds(tiles.size(0), kTilesPerTask);
  const PartialSums products(bounds, n * width, h);
  AT_DISPATCH_FLOATING_TYPES(tiles.scalar_type(), "kalman_sweep", [&] {
    KalmanSweep<scalar_t> sweep;
    sweep.tiles = tiles.data_ptr<scalar_t>();
    sweep.minus_w = minus_w.const_data_ptr<scalar_t>();
    sweep.w_transposed = w_transposed.const_data_ptr<scalar_t>();
    sweep.n = n;
    sweep.rank = rank;
    sweep.directions = h.const_data_ptr<scalar_t>();
    sweep.n_directions = width;
    run_tasks(bounds, sweep, &KalmanSweep<scalar_t>::products, products);
  });
  return products.total().view({n, width}).narrow(0, 0, n_rows).narrow(1, 0, m).contiguous();
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def("kalman_sweep(Tensor(a!) tiles, Tensor downdate, Tensor directions) -> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("kalman_sweep", sweep_cpu);
}

}  // namespace pwmlff
