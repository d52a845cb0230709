// Kernels of contraction_device.hpp. Every number has one owner that adds in a fixed order.
#include <cuda_runtime.h>

#include "cuda/dp/contraction_device.hpp"

namespace pwmlff::cuda {

namespace {

constexpr int kThreads = 128;  // of a block
constexpr int kWarp = 32;

// One atom per block in x, kThreads features in y.
template <typename Real>
__global__ void contract_kernel(AtomPairs pairs, const Real *rows, const Real *features, Real *sums) {
  const std::int64_t atom = blockIdx.x, m = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  if (m >= pairs.n_features) return;
  Real sum[4] = {};
  for (std::int64_t e = pairs.start[atom]; e < pairs.start[atom + 1]; ++e) {
    const Real feature = features[e * pairs.n_features + m];
    for (int c = 0; c < 4; ++c) sum[c] += rows[4 * e + c] * feature;
  }
  for (int c = 0; c < 4; ++c) sums[(4 * atom + c) * pairs.n_features + m] = sum[c];
}

// One pair per warp in the kernels below.
__device__ std::int64_t pair_of_warp() {
  return static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
}

template <typename Real>
__global__ void expand_kernel(AtomPairs pairs, const Real *rows, const Real *sums, Real *features) {
  const std::int64_t e = pair_of_warp(), n_features = pairs.n_features;
  if (e >= pairs.n_pairs) return;
  const Real *row = rows + 4 * e, *a = sums + 4 * pairs.centers[e] * n_features;
  for (std::int64_t m = threadIdx.x % kWarp; m < n_features; m += kWarp) {
    Real sum = 0;
    for (int c = 0; c < 4; ++c) sum += row[c] * a[c * n_features + m];
    features[e * n_features + m] = sum;
  }
}

template <typename Real>
__global__ void project_kernel(AtomPairs pairs, const Real *features, const Real *sums, Real *rows) {
  const std::int64_t e = pair_of_warp(), n_features = pairs.n_features;
  if (e >= pairs.n_pairs) return;  // the whole warp
  const Real *a = sums + 4 * pairs.centers[e] * n_features;
  const int lane = threadIdx.x % kWarp;
  Real sum[4] = {};
  for (std::int64_t m = lane; m < n_features; m += kWarp) {
    const Real feature = features[e * n_features + m];
    for (int c = 0; c < 4; ++c) sum[c] += feature * a[c * n_features + m];
  }
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    for (int c = 0; c < 4; ++c) sum[c] += __shfl_xor_sync(0xffffffffu, sum[c], distance);
  for (int c = 0; c < 4; ++c)
    if (lane == c) rows[4 * e + c] = sum[c];
}

template <typename Real>
cudaError_t launch(void (*kernel)(AtomPairs, const Real *, const Real *, Real *), dim3 grid, const AtomPairs &pairs,
                   const Real *first, const Real *second, Real *out, cudaStream_t stream) {
  if (grid.x == 0) return cudaSuccess;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, pairs, first, second, out);
}

unsigned blocks_of(std::int64_t items, std::int64_t items_of_block) {
  return static_cast<unsigned>((items + items_of_block - 1) / items_of_block);
}

}  // namespace

template <typename Real>
cudaError_t contract(const AtomPairs &pairs, const Real *rows, const Real *features, Real *sums, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(pairs.n_atoms), blocks_of(pairs.n_features, kThreads));
  return launch(contract_kernel<Real>, grid, pairs, rows, features, sums, stream);
}

template <typename Real>
cudaError_t expand(const AtomPairs &pairs, const Real *rows, const Real *sums, Real *features, cudaStream_t stream) {
  const dim3 grid(blocks_of(pairs.n_pairs, kThreads / kWarp));
  return launch(expand_kernel<Real>, grid, pairs, rows, sums, features, stream);
}

template <typename Real>
cudaError_t project(const AtomPairs &pairs, const Real *features, const Real *sums, Real *rows, cudaStream_t stream) {
  const dim3 grid(blocks_of(pairs.n_pairs, kThreads / kWarp));
  return launch(project_kernel<Real>, grid, pairs, features, sums, rows, stream);
}

#define PWMLFF_INSTANTIATE(Real)                                                                            \
  template cudaError_t contract<Real>(const AtomPairs &, const Real *, const Real *, Real *, cudaStream_t); \
  template cudaError_t expand<Real>(const AtomPairs &, const Real *, const Real *, Real *, cudaStream_t);   \
  template cudaError_t project<Real>(const AtomPairs &, const Real *, const Real *, Real *, cudaStream_t);
PWMLFF_INSTANTIATE(double)
PWMLFF_INSTANTIATE(float)
#undef PWMLFF_INSTANTIATE

}  // namespace pwmlff::cuda
