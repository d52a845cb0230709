// Launchers of the kernels of NEP on a GPU: what goes in and out as pointers into device memory, no torch.
//
// A warp takes an atom. Its lanes are pairs where functions of pairs are found, and numbers of the atom where these are
// summed, so that every sum has one owner. What is found of an atom lies in shared memory: nothing grows with their
// number.
//
// Letters as in core/nep/description.hpp.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "nep/invariants.hpp"
#include "pairs.hpp"

namespace pwmlff::cuda {

constexpr int kFew = 8;  // radial functions that are found at once

// Of a pair of types.
struct NepCutoff {
  double inverse_radial, inverse_angular;  // 1/Å
  double reach, angular;                   // Å^2, squares of the longer of the two cutoffs and of the angular one
};

// C_nk of core/nep/expansion.hpp, [T, T, n_basis, blocks * kFew], padded by 0.
template <typename Real>
struct NepFunctions {
  const Real *coefficients;
  int n_functions, n_basis;

  PWMLFF_INLINE int blocks() const { return (n_functions + kFew - 1) / kFew; }
};

template <typename Real>
struct DeviceNep {
  const NepCutoff *cutoffs;  // [T, T]
  NepFunctions<Real> radial, angular;
  const Real *by_input, *by_neuron;  // w0 times the scaler, [T, D, H] and [T, H, D]
  const Real *b0, *w1, *b1;          // [T, H] both, [T]
  const Real *norms;                 // C_lm of core/harmonic_tables.hpp by place
  int n_types, n_descriptors, n_neurons, l_max;
  bool extras[nep::kExtras];
  bool has_extras;
};

// Fills energies [N] (eV) and gradients [E, 3] (eV/Å). Distances and sums over neighbours are float64 or of type Real.
template <typename Real>
cudaError_t evaluate_nep(const DeviceNep<Real> &model, bool has_double_geometry, const Pairs &pairs,
                         std::int64_t n_atoms, double *energies, double *gradients, cudaStream_t stream);

// The sums of core's Cotangents, and how the atoms are divided into parts, and the atoms of a part into slices.
struct NepCotangents {
  const std::int64_t *part_start;  // [F + 1]
  const double *by_energies;       // [K, N]
  const double *by_gradients;      // [n_directed, E, 3]
  std::int64_t n_parts, n_slices, n_sums, n_directed, n_atoms, n_pairs;
};

// Adds to rows [F, slices, K, n_weights], in the order of core/nep/weight_gradients.hpp; scaler [D].
cudaError_t differentiate_nep(const DeviceNep<double> &model, const double *scaler, const Pairs &pairs,
                              const NepCotangents &cotangents, double *rows, cudaStream_t stream);

}  // namespace pwmlff::cuda
