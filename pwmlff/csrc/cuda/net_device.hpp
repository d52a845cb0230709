// What lies between the matrix products of a residual net on a GPU: activations and links, see nets.hpp.
//
// With z = W x + b: phi = activation(z), y = t phi + link(x), where link(x) is x, (x, x) or nothing.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "nets.hpp"

namespace pwmlff::cuda {

template <typename Real>
struct DeviceLayer {
  const Real *scale;  // t, [n_out]
  std::int64_t n_in, n_out;
  bool has_link;  // n_out is then n_in or 2 n_in
  ActivationKind activation;
};

// Turns z [n, n_out] into phi in place, and fills y [n, n_out]; x [n, n_in].
template <typename Real>
cudaError_t activate(const DeviceLayer<Real> &layer, std::int64_t n, const Real *x, Real *z, Real *y,
                     cudaStream_t stream);

// Turns z1 = W x1 into y1, the derivative of y along x1, in place; x1 [n, n_in].
template <typename Real>
cudaError_t activate_tangent(const DeviceLayer<Real> &layer, std::int64_t n, const Real *phi, const Real *x1, Real *z1,
                             cudaStream_t stream);

// From dE/dy fills dE/dz [n, n_out], and where there is a link its part of dE/dx [n, n_in].
template <typename Real>
cudaError_t activate_reverse(const DeviceLayer<Real> &layer, std::int64_t n, const Real *phi, const Real *y_gradient,
                             Real *z_gradient, Real *x_gradient, cudaStream_t stream);

}  // namespace pwmlff::cuda
