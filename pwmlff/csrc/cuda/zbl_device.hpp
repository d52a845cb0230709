// The repulsion of zbl.hpp on a GPU.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "pairs.hpp"
#include "zbl.hpp"

namespace pwmlff::cuda {

struct DeviceZbl {
  const ZblConstants *constants;  // [T, T]
  std::int64_t n_types;
};

// Adds to energies [N] (eV) and gradients [E, 3] (eV/Å).
cudaError_t add_zbl(const DeviceZbl &zbl, const Pairs &pairs, std::int64_t n_atoms, double *energies, double *gradients,
                    cudaStream_t stream);

}  // namespace pwmlff::cuda
