// Kernels of device.hpp. Results do not depend on the order in which blocks run: every sum has one owner.
#include "cuda/dp/device.hpp"

#include <cuda_runtime.h>

#include <algorithm>

#include "cuda/dp/pair_features.hpp"
#include "cuda/dp/pair_geometry.hpp"

namespace pwmlff::cuda {

namespace {

constexpr int kThreads = 128;  // of a block
constexpr int kWarp = 32;
constexpr int kTile = 32;  // pairs of an atom that are looked up at once

__device__ std::int64_t central_atom(const DpChunk &chunk, std::int64_t pair) {
  std::int64_t low = chunk.first_atom, high = chunk.first_atom + chunk.n_atoms;  // start[low] <= pair < start[high]
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    if (chunk.start[middle] <= pair)
      low = middle;
    else
      high = middle;
  }
  return low;
}

template <typename Real, typename Wide>
__global__ void __launch_bounds__(kThreads) inputs_kernel(DpChunk chunk, Real *inputs, std::int64_t *nets) {
  const std::int64_t k = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (k >= chunk.n_pairs) return;
  const std::int64_t pair = chunk.first_pair + k, type = chunk.atom_types[central_atom(chunk, pair)];
  const DeviceEnvironment<Wide> environment(chunk, type);
  const PairGeometry<Wide> geometry(environment, chunk.vectors + 3 * pair);
  inputs[k] = static_cast<Real>(geometry.input(environment));
  nets[k] = net_of(chunk, type, pair);
}

template <typename Wide, typename Place>
struct SumPair {
  Wide row[4];
  Place place;
};

// One atom per block. Threads (x, y): feature x of the block's part of the features, and each y takes every
// blockDim.y-th pair.
template <typename Real, typename Wide, typename Source>
__global__ void __launch_bounds__(kThreads) sums_kernel(DpChunk chunk, Source source, Real *sums) {
  __shared__ SumPair<Wide, typename Source::Place> tile[kTile];
  __shared__ Wide partial[4][kThreads];
  const std::int64_t slot = blockIdx.x, atom = chunk.atom_of_place[chunk.first_atom + slot];
  const std::int64_t type = chunk.atom_types[atom], end = chunk.start[atom + 1];
  const std::int64_t n_features = source.n_features();
  const std::int64_t m = static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  const DeviceEnvironment<Wide> environment(chunk, type);
  Wide sum[4] = {};
  for (std::int64_t first = chunk.start[atom]; first < end; first += kTile) {
    const int n = end - first < kTile ? static_cast<int>(end - first) : kTile;
    if (thread < n) {
      const PairGeometry<Wide> geometry(environment, chunk.vectors + 3 * (first + thread));
      geometry.row(environment, tile[thread].row);
      tile[thread].place = source.find(chunk, type, first + thread, geometry.input(environment), blockIdx.y == 0);
    }
    __syncthreads();
    if (m < n_features)
      for (int k = threadIdx.y; k < n; k += blockDim.y) {
        const Wide feature = source.value(tile[k].place, m);
        for (int c = 0; c < 4; ++c) sum[c] += tile[k].row[c] * feature;
      }
    __syncthreads();
  }
  for (int c = 0; c < 4; ++c) partial[c][thread] = sum[c];
  __syncthreads();
  if (threadIdx.y > 0 || m >= n_features) return;
  for (int c = 0; c < 4; ++c) {
    Wide total = sum[c];
    for (unsigned y = 1; y < blockDim.y; ++y) total += partial[c][y * blockDim.x + threadIdx.x];
    sums[(slot * 4 + c) * n_features + m] = static_cast<Real>(total);
  }
}

template <typename Real>
__device__ Real warp_sum(Real value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

template <typename Real, typename Place>
struct GradientPair {
  Real row[4];
  const Real *u;  // dE/dA of its atom [4, M]
  Place place;
};

// A warp takes 32 consecutive pairs, of whatever atoms: each lane looks one up, then all lanes go through the features
// of one pair after another, and in the end each lane finishes its own.
template <typename Real, typename Wide, typename Source>
__global__ void __launch_bounds__(kThreads)
    gradients_kernel(DpChunk chunk, Source source, const Real *sums_gradient, double *gradients) {
  __shared__ GradientPair<Real, typename Source::Place> tiles[kThreads];
  const std::int64_t own = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int lane = threadIdx.x % kWarp;
  const std::int64_t left = chunk.n_pairs - (own - lane), n_features = source.n_features();
  if (left <= 0) return;  // the whole warp
  const int n = left < kWarp ? static_cast<int>(left) : kWarp;
  // lanes without a pair look at the last one, and leave it alone
  const std::int64_t pair = chunk.first_pair + (lane < n ? own : chunk.n_pairs - 1);
  const std::int64_t atom = central_atom(chunk, pair), type = chunk.atom_types[atom];
  const DeviceEnvironment<Wide> environment(chunk, type);
  const PairGeometry<Wide> geometry(environment, chunk.vectors + 3 * pair);
  GradientPair<Real, typename Source::Place> &mine = tiles[threadIdx.x];
  Wide row[4];
  geometry.row(environment, row);
  for (int c = 0; c < 4; ++c) mine.row[c] = static_cast<Real>(row[c]);
  mine.u = sums_gradient + (chunk.place_of_atom[atom] - chunk.first_atom) * 4 * n_features;
  mine.place = source.find(chunk, type, pair, geometry.input(environment), false);
  __syncwarp();
  Real by_row[4] = {}, by_input = 0;
  for (int k = 0; k < n; ++k) {
    const GradientPair<Real, typename Source::Place> &other = tiles[threadIdx.x - lane + k];
    Real part[5] = {};  // dE/drow[c] = sum_m u[c, m] G_m, dE/dinput = sum_m (sum_c row[c] u[c, m]) G'_m
    for (std::int64_t m = lane; m < n_features; m += kWarp) {
      Real value, slope, factor = 0;
      source.value_and_slope(other.place, m, value, slope);
      for (int c = 0; c < 4; ++c) {
        const Real u = other.u[c * n_features + m];
        part[c] += u * value;
        factor += other.row[c] * u;
      }
      part[4] += factor * slope;
    }
    for (Real &number : part) number = warp_sum(number);
    if (k != lane) continue;
    for (int c = 0; c < 4; ++c) by_row[c] = part[c];
    by_input = part[4];
  }
  if (lane < n) geometry.gradient(environment, by_row, by_input, gradients + 3 * pair);
}

cudaLaunchConfig_t launch(dim3 grid, dim3 block, cudaStream_t stream) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  return config;
}

unsigned blocks_of(std::int64_t items) {
  return static_cast<unsigned>((items + kThreads - 1) / kThreads);
}

template <typename Real, typename Source>
cudaError_t sum_source(const DpChunk &chunk, const Source &source, Real *sums, cudaStream_t stream) {
  if (chunk.n_atoms == 0) return cudaSuccess;
  const std::int64_t warps = (source.n_features() + kWarp - 1) / kWarp;
  const auto width = static_cast<unsigned>(std::min<std::int64_t>(kThreads, warps * kWarp));
  const auto parts = static_cast<unsigned>((source.n_features() + width - 1) / width);
  const auto config = launch(dim3(static_cast<unsigned>(chunk.n_atoms), parts), dim3(width, kThreads / width), stream);
  return chunk.has_double_geometry ? cudaLaunchKernelEx(&config, sums_kernel<Real, double, Source>, chunk, source, sums)
                                   : cudaLaunchKernelEx(&config, sums_kernel<Real, Real, Source>, chunk, source, sums);
}

template <typename Real, typename Source>
cudaError_t gradients_source(const DpChunk &chunk, const Source &source, const Real *sums_gradient, double *gradients,
                             cudaStream_t stream) {
  if (chunk.n_pairs == 0) return cudaSuccess;
  const auto config = launch(dim3(blocks_of(chunk.n_pairs)), dim3(kThreads), stream);
  return chunk.has_double_geometry ? cudaLaunchKernelEx(&config, gradients_kernel<Real, double, Source>, chunk, source,
                                                        sums_gradient, gradients)
                                   : cudaLaunchKernelEx(&config, gradients_kernel<Real, Real, Source>, chunk, source,
                                                        sums_gradient, gradients);
}

}  // namespace

template <typename Real>
cudaError_t find_inputs(const DpChunk &chunk, Real *inputs, std::int64_t *nets, cudaStream_t stream) {
  if (chunk.n_pairs == 0) return cudaSuccess;
  const auto config = launch(dim3(blocks_of(chunk.n_pairs)), dim3(kThreads), stream);
  return chunk.has_double_geometry ? cudaLaunchKernelEx(&config, inputs_kernel<Real, double>, chunk, inputs, nets)
                                   : cudaLaunchKernelEx(&config, inputs_kernel<Real, Real>, chunk, inputs, nets);
}

template <typename Real>
cudaError_t sum_features(const DpChunk &chunk, const DeviceTables<Real> &tables, Real *sums, cudaStream_t stream) {
  return tables.terms == 4 ? sum_source(chunk, TableSource<Real, 4>{tables}, sums, stream)
                           : sum_source(chunk, TableSource<Real, 6>{tables}, sums, stream);
}

template <typename Real>
cudaError_t sum_features(const DpChunk &chunk, const DeviceFeatures<Real> &features, Real *sums, cudaStream_t stream) {
  return sum_source(chunk, StoredSource<Real>{features}, sums, stream);
}

template <typename Real>
cudaError_t find_gradients(const DpChunk &chunk, const DeviceTables<Real> &tables, const Real *sums_gradient,
                           double *gradients, cudaStream_t stream) {
  return tables.terms == 4 ? gradients_source(chunk, TableSource<Real, 4>{tables}, sums_gradient, gradients, stream)
                           : gradients_source(chunk, TableSource<Real, 6>{tables}, sums_gradient, gradients, stream);
}

template <typename Real>
cudaError_t find_gradients(const DpChunk &chunk, const DeviceFeatures<Real> &features, const Real *sums_gradient,
                           double *gradients, cudaStream_t stream) {
  return gradients_source(chunk, StoredSource<Real>{features}, sums_gradient, gradients, stream);
}

#define PWMLFF_INSTANTIATE(Real)                                                                                   \
  template cudaError_t find_inputs<Real>(const DpChunk &, Real *, std::int64_t *, cudaStream_t);                   \
  template cudaError_t sum_features<Real>(const DpChunk &, const DeviceTables<Real> &, Real *, cudaStream_t);      \
  template cudaError_t sum_features<Real>(const DpChunk &, const DeviceFeatures<Real> &, Real *, cudaStream_t);    \
  template cudaError_t find_gradients<Real>(const DpChunk &, const DeviceTables<Real> &, const Real *, double *,   \
                                            cudaStream_t);                                                         \
  template cudaError_t find_gradients<Real>(const DpChunk &, const DeviceFeatures<Real> &, const Real *, double *, \
                                            cudaStream_t);
PWMLFF_INSTANTIATE(double)
PWMLFF_INSTANTIATE(float)
#undef PWMLFF_INSTANTIATE

}  // namespace pwmlff::cuda
