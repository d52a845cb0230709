// torch.ops.pwmlff.kalman_sweep: pads and lays out its arguments, and deals blocks or their tiles to threads.
#include "kalman.hpp"

#include <c10/core/CPUAllocator.h>
#include <torch/library.h>

#include <algorithm>

#include "torch/recycled.hpp"
#include "torch/tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;

constexpr std::int64_t kTilesPerTask = 16;    // fewer are not worth a thread
constexpr std::int64_t kBlocksPerThread = 4;  // from here on a thread takes whole blocks

std::int64_t tile_rows(std::int64_t n) {
  return (n + kKalmanTile - 1) / kKalmanTile;
}

// The width the kernel wants; a single column is kept as it is where the kernel has a way for it.
template <typename Real>
std::int64_t padded_columns(std::int64_t m, std::int64_t rank) {
  return m == 0 || (m == 1 && rank <= 1) ? m
                                         : (m + kKalmanColumns<Real> - 1) / kKalmanColumns<Real> * kKalmanColumns<Real>;
}

// Numbers that begin at a cache line.
template <typename Real>
class Numbers {
 public:
  explicit Numbers(std::int64_t n) : memory_(c10::GetCPUAllocator()->allocate(n * sizeof(Real))) {
    std::fill_n(data(), n, Real(0));
  }
  Real *data() const { return static_cast<Real *>(memory_.get()); }

 private:
  at::DataPtr memory_;
};

// Rows of a matrix in any order.
template <typename Real>
struct Rows {
  const Real *data;
  std::int64_t n_columns, by_row, by_column;

  Rows(const Tensor &matrix, std::int64_t first)
      : data(matrix.const_data_ptr<Real>() + first * matrix.stride(0)),
        n_columns(matrix.size(1)),
        by_row(matrix.stride(0)),
        by_column(matrix.stride(1)) {}
  Real operator()(std::int64_t i, std::int64_t j) const { return data[i * by_row + j * by_column]; }
};

// One block, to the rows out [n_rows, m].
template <typename Real>
void sweep_block(Real *tiles, std::int64_t n_rows, const Rows<Real> &w, const Rows<Real> &h, std::int64_t n_threads,
                 Real *out) {
  const std::int64_t rank = w.n_columns, m = h.n_columns, width = padded_columns<Real>(m, rank);
  const std::int64_t n = tile_rows(n_rows) * kKalmanTile;
  const Numbers<Real> minus_w(n * rank), w_transposed(n * rank), directions(n * width);
  for (std::int64_t i = 0; i < n_rows; ++i) {
    Real *tile = w_transposed.data() + i / kKalmanTile * kKalmanTile * rank + i % kKalmanTile;
    for (std::int64_t j = 0; j < rank; ++j) {
      tile[j * kKalmanTile] = w(i, j);
      minus_w.data()[i * rank + j] = -w(i, j);
    }
    for (std::int64_t j = 0; j < m; ++j) directions.data()[i * width + j] = h(i, j);
  }
  const auto bounds = even_bounds(kalman_tile_count(n / kKalmanTile), kTilesPerTask, n_threads);
  const auto n_tasks = static_cast<std::int64_t>(bounds.size()) - 1;
  const Numbers<Real> products(n_tasks * n * width);
  for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
    run(KalmanSweep<Real>{tiles, minus_w.data(), w_transposed.data(), n, rank, directions.data(), width,
                          products.data() + task * n * width},
        first, last);
  });
  for (std::int64_t i = 0; i < n_rows; ++i)
    for (std::int64_t j = 0; j < m; ++j) {
      Real sum = 0;
      for (std::int64_t task = 0; task < n_tasks; ++task) sum += products.data()[(task * n + i) * width + j];
      out[i * m + j] = sum;
    }
}

void check(const at::TensorList &tiles, at::IntArrayRef bounds, const Tensor &downdate, const Tensor &directions) {
  TORCH_CHECK(downdate.dim() == 2 && directions.dim() == 2 && downdate.size(0) == directions.size(0),
              "kalman_sweep expects downdate [n, k] and directions [n, m], got ", downdate.sizes(), " and ",
              directions.sizes());
  TORCH_CHECK(bounds.size() == 2 * tiles.size(), "kalman_sweep expects two bounds of each block, got ", bounds.size(),
              " for ", tiles.size(), " blocks");
  for (std::size_t block = 0; block < tiles.size(); ++block) {
    const Tensor &own = tiles[block];
    const std::int64_t first = bounds[2 * block], last = bounds[2 * block + 1];
    TORCH_CHECK(0 <= first && first < last && last <= directions.size(0), "kalman_sweep expects blocks within the ",
                directions.size(0), " rows, got ", first, " to ", last);
    TORCH_CHECK(own.dim() == 3 && own.size(1) == kKalmanTile && own.size(2) == kKalmanTile && own.is_contiguous(),
                "kalman_sweep expects contiguous tiles [n, ", kKalmanTile, ", ", kKalmanTile, "], got ", own.sizes());
    const std::int64_t n_tiles = kalman_tile_count(tile_rows(last - first));
    TORCH_CHECK(own.size(0) == n_tiles, "kalman_sweep expects ", n_tiles, " tiles for ", last - first, " rows, got ",
                own.size(0));
    TORCH_CHECK(own.scalar_type() == downdate.scalar_type() && own.scalar_type() == directions.scalar_type(),
                "kalman_sweep: tiles, downdate and directions must have one dtype");
  }
}

Tensor sweep_cpu(at::TensorList tiles, at::IntArrayRef bounds, const Tensor &downdate, const Tensor &directions) {
  check(tiles, bounds, downdate, directions);
  const Tensor products = recycled(directions.sizes(), directions.scalar_type()).zero_();
  const std::int64_t n_threads = at::get_num_threads(), n_blocks = static_cast<std::int64_t>(tiles.size());
  const bool by_block = n_blocks >= kBlocksPerThread * n_threads;
  std::vector<std::int64_t> start{0};  // of each block's tiles
  for (const Tensor &own : tiles) start.push_back(start.back() + own.size(0));
  const auto shares = pair_bounds(start.data(), n_blocks, kTilesPerTask, by_block ? n_threads : 1);
  AT_DISPATCH_FLOATING_TYPES(directions.scalar_type(), "kalman_sweep", [&] {
    scalar_t *out = products.data_ptr<scalar_t>();
    for_tasks(shares, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t first = bounds[2 * block], n_rows = bounds[2 * block + 1] - first;
        sweep_block<scalar_t>(tiles[block].data_ptr<scalar_t>(), n_rows, {downdate, first}, {directions, first},
                              by_block ? 1 : n_threads, out + first * directions.size(1));
      }
    });
  });
  return products;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def("kalman_sweep(Tensor(a!)[] tiles, int[] bounds, Tensor downdate, Tensor directions) -> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("kalman_sweep", sweep_cpu);
}

}  // namespace pwmlff
