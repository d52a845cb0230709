// Launchers of the kernels of a Deep Potential on a GPU: what goes in and out as pointers into device memory, no torch.
//
// Atoms are worked off in chunks of consecutive atoms. Inside a chunk they have places, sorted by type, so that those
// of one type go through their fitting net together; sums A and their gradients lie in the order of places.
//
// Letters as in core/dp/model.hpp: N atoms, E pairs sorted by atom, T types, K nets or tables, M features.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace pwmlff::cuda {

struct DpChunk {
  // of all atoms and pairs
  const double *vectors;                              // [E, 3] Å
  const std::int64_t *start;                          // [N + 1]
  const std::int64_t *pair_types, *atom_types;        // [E], [N]
  const std::int64_t *atom_of_place, *place_of_atom;  // [N] both
  // of the model
  const double *mean;   // [T]
  const double *scale;  // [T, 4]
  double inner, outer, n_neighbors;
  std::int64_t n_types;
  bool has_net_per_pair, has_double_geometry;
  // of the chunk
  std::int64_t first_atom, n_atoms, first_pair, n_pairs;
};

// Tables one after another, see core/dp/table.hpp.
template <typename Real>
struct DeviceTables {
  const Real *coefficients;            // [intervals of all tables, terms, M]
  const double *grids;                 // [K, 3] first node, n_fine, n_coarse
  const std::int64_t *first_interval;  // [K]
  std::int64_t *overflows;             // [2], added to
  std::int64_t terms, n_features;      // terms 4 or 6
  double dx;
};

// Features of the chunk's pairs, made by nets.
template <typename Real>
struct DeviceFeatures {
  const Real *values, *slopes;  // [n_pairs, M] both
  std::int64_t n_features;
};

// Fills inputs [n_pairs] of the embedding nets, and which net each pair goes through [n_pairs].
template <typename Real>
cudaError_t find_inputs(const DpChunk &chunk, Real *inputs, std::int64_t *nets, cudaStream_t stream);

// Fills sums [n_atoms, 4, M], A of core/dp/model.hpp.
template <typename Real>
cudaError_t sum_features(const DpChunk &chunk, const DeviceTables<Real> &tables, Real *sums, cudaStream_t stream);
template <typename Real>
cudaError_t sum_features(const DpChunk &chunk, const DeviceFeatures<Real> &features, Real *sums, cudaStream_t stream);

// Fills the rows of gradients [E, 3] that belong to the chunk, from dE/dA [n_atoms, 4, M].
template <typename Real>
cudaError_t find_gradients(const DpChunk &chunk, const DeviceTables<Real> &tables, const Real *sums_gradient,
                           double *gradients, cudaStream_t stream);
template <typename Real>
cudaError_t find_gradients(const DpChunk &chunk, const DeviceFeatures<Real> &features, const Real *sums_gradient,
                           double *gradients, cudaStream_t stream);

}  // namespace pwmlff::cuda
