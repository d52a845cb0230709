// The kernel of zbl_device.hpp. Every number has one owner that adds in a fixed order.
#include <cuda_runtime.h>

#include "cuda/zbl_device.hpp"

namespace pwmlff::cuda {

namespace {

constexpr int kThreads = 128;  // of a block
constexpr int kWarp = 32;

// One atom per warp, one pair per lane at a time.
__global__ void zbl_kernel(DeviceZbl zbl, Pairs pairs, std::int64_t n_atoms, double *energies, double *gradients) {
  const std::int64_t atom = static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
  if (atom >= n_atoms) return;  // the whole warp
  const int lane = threadIdx.x % kWarp;
  const ZblConstants *of_neighbor = zbl.constants + pairs.atom_types[atom] * zbl.n_types;
  double energy = 0;
  for (std::int64_t e = pairs.start[atom] + lane; e < pairs.start[atom + 1]; e += kWarp) {
    const double *vector = pairs.vectors + 3 * e;
    const double squared = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
    const ZblConstants &constants = of_neighbor[pairs.pair_types[e]];
    if (!(squared < constants.outer * constants.outer)) continue;
    const double r = std::sqrt(squared);
    const ZblPair pair(constants, r);
    energy += pair.energy;
    for (int c = 0; c < 3; ++c) gradients[3 * e + c] += pair.slope / r * vector[c];
  }
  for (int distance = kWarp / 2; distance > 0; distance /= 2) energy += __shfl_xor_sync(0xffffffffu, energy, distance);
  if (lane == 0) energies[atom] += energy;
}

}  // namespace

cudaError_t add_zbl(const DeviceZbl &zbl, const Pairs &pairs, std::int64_t n_atoms, double *energies, double *gradients,
                    cudaStream_t stream) {
  if (n_atoms == 0) return cudaSuccess;
  constexpr std::int64_t atoms_of_block = kThreads / kWarp;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>((n_atoms + atoms_of_block - 1) / atoms_of_block));
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, zbl_kernel, zbl, pairs, n_atoms, energies, gradients);
}

}  // namespace pwmlff::cuda
