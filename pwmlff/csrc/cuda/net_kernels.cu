// Kernels of net_device.hpp: one thread per number.
#include "cuda/net_device.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>

namespace pwmlff::cuda {

namespace {

constexpr int kThreads = 256;            // of a block
constexpr std::int64_t kBlocks = 65536;  // at most; threads take more than one number then

__device__ std::int64_t first_item() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}
__device__ std::int64_t step() {
  return static_cast<std::int64_t>(gridDim.x) * kThreads;
}

template <typename Real>
__device__ Real slope_of(ActivationKind activation, Real phi) {
  return activation == ActivationKind::tanh ? Real(1) - phi * phi : phi * (Real(1) - phi);
}

// What the link adds to output i [n, n_out].
template <typename Real>
__device__ Real linked(const DeviceLayer<Real> &layer, const Real *x, std::int64_t i) {
  return layer.has_link ? x[i / layer.n_out * layer.n_in + i % layer.n_out % layer.n_in] : Real(0);
}

template <typename Real>
__global__ void activate_kernel(DeviceLayer<Real> layer, std::int64_t n, const Real *x, Real *z, Real *y) {
  for (std::int64_t i = first_item(); i < n * layer.n_out; i += step()) {
    const Real phi = layer.activation == ActivationKind::tanh ? std::tanh(z[i]) : Real(1) / (Real(1) + std::exp(-z[i]));
    z[i] = phi;
    y[i] = layer.scale[i % layer.n_out] * phi + linked(layer, x, i);
  }
}

template <typename Real>
__global__ void tangent_kernel(DeviceLayer<Real> layer, std::int64_t n, const Real *phi, const Real *x1, Real *z1) {
  for (std::int64_t i = first_item(); i < n * layer.n_out; i += step())
    z1[i] = layer.scale[i % layer.n_out] * slope_of(layer.activation, phi[i]) * z1[i] + linked(layer, x1, i);
}

template <typename Real>
__global__ void reverse_kernel(DeviceLayer<Real> layer, std::int64_t n, const Real *phi, const Real *y_gradient,
                               Real *z_gradient, Real *x_gradient) {
  for (std::int64_t i = first_item(); i < n * layer.n_out; i += step()) {
    const std::int64_t row = i / layer.n_out, column = i % layer.n_out;
    z_gradient[i] = layer.scale[column] * slope_of(layer.activation, phi[i]) * y_gradient[i];
    if (!layer.has_link || column >= layer.n_in) continue;
    Real sum = y_gradient[i];
    if (layer.n_out > layer.n_in) sum += y_gradient[i + layer.n_in];
    x_gradient[row * layer.n_in + column] = sum;
  }
}

template <typename Real, typename... Parameters, typename... Arguments>
cudaError_t launch(void (*kernel)(DeviceLayer<Real>, std::int64_t, Parameters...), const DeviceLayer<Real> &layer,
                   std::int64_t n, cudaStream_t stream, Arguments... arguments) {
  if (n == 0) return cudaSuccess;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(std::min(kBlocks, (n * layer.n_out + kThreads - 1) / kThreads)));
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, layer, n, arguments...);
}

}  // namespace

template <typename Real>
cudaError_t activate(const DeviceLayer<Real> &layer, std::int64_t n, const Real *x, Real *z, Real *y,
                     cudaStream_t stream) {
  return launch(activate_kernel<Real>, layer, n, stream, x, z, y);
}

template <typename Real>
cudaError_t activate_tangent(const DeviceLayer<Real> &layer, std::int64_t n, const Real *phi, const Real *x1, Real *z1,
                             cudaStream_t stream) {
  return launch(tangent_kernel<Real>, layer, n, stream, phi, x1, z1);
}

template <typename Real>
cudaError_t activate_reverse(const DeviceLayer<Real> &layer, std::int64_t n, const Real *phi, const Real *y_gradient,
                             Real *z_gradient, Real *x_gradient, cudaStream_t stream) {
  return launch(reverse_kernel<Real>, layer, n, stream, phi, y_gradient, z_gradient, x_gradient);
}

#define PWMLFF_INSTANTIATE(Real)                                                                                   \
  template cudaError_t activate<Real>(const DeviceLayer<Real> &, std::int64_t, const Real *, Real *, Real *,       \
                                      cudaStream_t);                                                               \
  template cudaError_t activate_tangent<Real>(const DeviceLayer<Real> &, std::int64_t, const Real *, const Real *, \
                                              Real *, cudaStream_t);                                               \
  template cudaError_t activate_reverse<Real>(const DeviceLayer<Real> &, std::int64_t, const Real *, const Real *, \
                                              Real *, Real *, cudaStream_t);
PWMLFF_INSTANTIATE(double)
PWMLFF_INSTANTIATE(float)
#undef PWMLFF_INSTANTIATE

}  // namespace pwmlff::cuda
