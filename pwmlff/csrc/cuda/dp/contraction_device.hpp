// Products of environment rows R [E, 4], features G [E, M] and sums A [N, 4, M] of atoms on a GPU.
//
//   contract  A_ncm = sum_{e of n} R_ec G_em
//   expand    G_em  = sum_c R_ec A_ncm        n: central atom of e
//   project   R_ec  = sum_m G_em A_ncm
//
// Each is linear in both factors, and the derivatives of each are the other two.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace pwmlff::cuda {

struct AtomPairs {
  const std::int64_t *start;    // [N + 1]
  const std::int64_t *centers;  // [E]
  std::int64_t n_atoms, n_pairs, n_features;
};

template <typename Real>
cudaError_t contract(const AtomPairs &pairs, const Real *rows, const Real *features, Real *sums, cudaStream_t stream);
template <typename Real>
cudaError_t expand(const AtomPairs &pairs, const Real *rows, const Real *sums, Real *features, cudaStream_t stream);
template <typename Real>
cudaError_t project(const AtomPairs &pairs, const Real *features, const Real *sums, Real *rows, cudaStream_t stream);

}  // namespace pwmlff::cuda
