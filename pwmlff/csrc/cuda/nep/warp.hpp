// What the lanes of a warp do together.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "cuda/nep/device.hpp"

namespace pwmlff::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// Of kFew functions; aligned so that whole rows are read at once.
template <typename Real>
struct alignas(16) Few {
  Real of[kFew];
};

extern __shared__ Few<double> shared_memory[];  // as much as a launch asks for

// Deals out memory; given none it counts the bytes.
class Dealer {
 public:
  PWMLFF_INLINE explicit Dealer(void *memory) : memory_(static_cast<unsigned char *>(memory)) {}

  template <typename Number>
  PWMLFF_INLINE Number *take(int count) {
    unsigned char *const from = memory_ ? memory_ + size_ : nullptr;
    size_ += (count * sizeof(Number) + 15) / 16 * 16;
    return reinterpret_cast<Number *>(from);
  }

  PWMLFF_INLINE std::size_t size() const { return size_; }

 private:
  unsigned char *memory_;
  std::size_t size_ = 0;
};

__device__ inline int lane() {
  return static_cast<int>(threadIdx.x) % kWarp;
}

template <typename Number>
__device__ Number warp_sum(Number value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(kAllLanes, value, distance);
  return value;
}

__device__ inline int warp_least(int value) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    const int other = __shfl_xor_sync(kAllLanes, value, distance);
    value = other < value ? other : value;
  }
  return value;
}

// Calls work(pair, count) for the pairs first..end that are chosen, one for each lane; lanes from `count` on get a pair
// again that another has. `waiting` [2 kWarp] is for these alone.
template <typename Choose, typename Work>
__device__ void for_chosen_pairs(std::int64_t first, std::int64_t end, int *waiting, Choose choose, Work work) {
  int count = 0;
  for (std::int64_t tile = first; tile < end; tile += kWarp) {
    const std::int64_t pair = tile + lane();
    const bool is_chosen = pair < end && choose(pair);
    const unsigned chosen = __ballot_sync(kAllLanes, is_chosen);
    if (is_chosen) waiting[count + __popc(chosen & ((1u << lane()) - 1))] = static_cast<int>(pair - first);
    count += __popc(chosen);
    __syncwarp();
    const int least = tile + kWarp < end ? kWarp : 1;  // for which it is worth while
    while (count >= least) {
      const int n = count < kWarp ? count : kWarp;
      work(first + waiting[lane() < n ? lane() : n - 1], n);
      count -= n;
      const int rest = lane() < count ? waiting[n + lane()] : 0;
      __syncwarp();
      if (lane() < count) waiting[lane()] = rest;
      __syncwarp();
    }
  }
}

// Asks for shared memory for so many warps of a block as are allowed without further ado, up to `most`; for one warp
// what it needs.
template <typename... Parameters>
cudaError_t set_warps(void (*kernel)(Parameters...), std::size_t bytes, int most, cudaLaunchConfig_t &config) {
  constexpr std::size_t kFree = 48 << 10;
  std::size_t n_warps = kFree / bytes;
  n_warps = n_warps < 1 ? 1 : n_warps;
  n_warps = n_warps > static_cast<std::size_t>(most) ? most : n_warps;
  config.blockDim = dim3(static_cast<unsigned>(n_warps) * kWarp);
  config.dynamicSmemBytes = n_warps * bytes;
  if (config.dynamicSmemBytes <= kFree) return cudaSuccess;
  const cudaError_t status =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  return status == cudaSuccess ? status : cudaErrorLaunchOutOfResources;
}

}  // namespace pwmlff::cuda
