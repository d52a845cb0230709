// As much of CUDA as the kernels of pwmlff/csrc/cuda use, on one processor: for tests where there is no GPU.
//
// Each thread of a block is a context of its own. It runs until it waits for others; then the next one runs. Blocks run
// one after another.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#define __device__
#define __host__
#define __global__
#define __shared__ thread_local  // static, and can be declared extern too; blocks do not overlap
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

using cudaStream_t = struct CUstream_st *;
enum cudaError_t { cudaSuccess, cudaErrorInvalidValue, cudaErrorLaunchOutOfResources };
inline const char *cudaGetErrorString(cudaError_t) {
  return "invalid value";
}

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel, cudaFuncAttribute, int) {
  return cudaSuccess;
}

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
};

inline dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace cuda_on_host {

constexpr unsigned kWarp = 32;
constexpr std::size_t kStack = 1 << 16;
constexpr std::size_t kDynamicSharedMemory = 99 << 10;  // what all GPUs since 2020 have

struct Thread {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(kStack);
  dim3 index;
  bool is_done;
};

// Threads that wait for each other.
struct Group {
  unsigned members = 0, arrived = 0, round = 0;
};

struct Block {
  ucontext_t scheduler;
  std::vector<Thread> threads;
  std::vector<Group> warps;
  Group all;
  Thread *current = nullptr;
  std::function<void()> body;
  std::vector<double> exchanged;  // by thread; a double holds a float exactly

  unsigned place() const { return static_cast<unsigned>(current - threads.data()); }
  Group &warp() { return warps[place() / kWarp]; }

  void wait(Group &group) {
    const unsigned round = group.round;
    if (++group.arrived >= group.members) {
      group.arrived = 0;
      ++group.round;
    }
    while (group.round == round) swapcontext(&current->context, &scheduler);
  }
};

inline Block block;

// A thread that returns is no longer waited for.
inline void leave(Group &group) {
  --group.members;
  if (group.members > 0 && group.arrived == group.members) {
    group.arrived = 0;
    ++group.round;
  }
}

inline void thread_main() {
  block.body();
  block.current->is_done = true;
  leave(block.all);
  leave(block.warp());
  swapcontext(&block.current->context, &block.scheduler);
}

inline void run_block() {
  const unsigned n = blockDim.x * blockDim.y;
  block.threads.resize(std::max<std::size_t>(block.threads.size(), n));
  block.exchanged.resize(n);
  block.all = {n};
  block.warps.assign((n + kWarp - 1) / kWarp, {});
  for (unsigned k = 0; k < n; ++k) {
    Thread &thread = block.threads[k];
    ++block.warps[k / kWarp].members;
    thread.index = dim3(k % blockDim.x, k / blockDim.x);
    thread.is_done = false;
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = kStack;
    makecontext(&thread.context, thread_main, 0);
  }
  for (bool is_left = true; is_left;) {
    is_left = false;
    for (unsigned k = 0; k < n; ++k) {
      if (block.threads[k].is_done) continue;
      is_left = true;
      block.current = &block.threads[k];
      threadIdx = block.current->index;
      swapcontext(&block.scheduler, &block.current->context);
    }
  }
}

}  // namespace cuda_on_host

inline void __syncthreads() {
  cuda_on_host::block.wait(cuda_on_host::block.all);
}
inline void __syncwarp() {
  cuda_on_host::block.wait(cuda_on_host::block.warp());
}

template <typename Number>
Number __shfl_xor_sync(unsigned, Number value, int distance) {
  auto &block = cuda_on_host::block;
  block.exchanged[block.place()] = value;
  __syncwarp();
  const Number other = static_cast<Number>(block.exchanged[block.place() ^ static_cast<unsigned>(distance)]);
  __syncwarp();
  return other;
}

inline unsigned __ballot_sync(unsigned, bool is_set) {
  auto &block = cuda_on_host::block;
  block.exchanged[block.place()] = is_set;
  __syncwarp();
  const unsigned first = block.place() / cuda_on_host::kWarp * cuda_on_host::kWarp;
  unsigned set = 0;
  for (unsigned k = 0; k < cuda_on_host::kWarp; ++k) set |= static_cast<unsigned>(block.exchanged[first + k] != 0) << k;
  __syncwarp();
  return set;
}

inline int __popc(unsigned bits) {
  return __builtin_popcount(bits);
}

inline unsigned long long atomicAdd(unsigned long long *sum, unsigned long long value) {
  return std::atomic_ref<unsigned long long>(*sum).fetch_add(value);
}

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Parameters...),
                               Arguments &&...arguments) {
  if (config->gridDim.x == 0 || config->gridDim.y == 0 || config->blockDim.x * config->blockDim.y > 1024)
    return cudaErrorInvalidValue;
  if (config->dynamicSmemBytes > cuda_on_host::kDynamicSharedMemory) return cudaErrorLaunchOutOfResources;
  gridDim = config->gridDim;
  blockDim = config->blockDim;
  cuda_on_host::block.body = [&] { kernel(arguments...); };
  for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) cuda_on_host::run_block();
  return cudaSuccess;
}
