// One pair on the device: geometry before the features, chain rule after them; the arithmetic of core/dp/chunk.hpp.
#pragma once

#include <cmath>

#include "cuda/dp/device.hpp"
#include "quintic_switch.hpp"

namespace pwmlff::cuda {

// Switch, and normalisation for one central type.
template <typename Wide>
struct DeviceEnvironment {
  QuinticSwitch<Wide> falling;
  Wide mean, inverse_scale;
  Wide factor[4];  // of the environment rows, with the neighbour count

  __device__ DeviceEnvironment(const DpChunk &chunk, std::int64_t type)
      : falling(chunk.inner, chunk.outer), mean(chunk.mean[type]) {
    const double *scale = chunk.scale + 4 * type;
    inverse_scale = 1.0 / scale[0];
    for (int c = 0; c < 4; ++c) factor[c] = 1.0 / (scale[c] * chunk.n_neighbors);
  }
};

template <typename Wide>
struct PairGeometry {
  Wide direction[3], inverse_distance, s, s_slope;

  __device__ PairGeometry(const DeviceEnvironment<Wide> &environment, const double *vector) {
    for (int c = 0; c < 3; ++c) direction[c] = static_cast<Wide>(vector[c]);
    const Wide distance =
        std::sqrt(direction[0] * direction[0] + direction[1] * direction[1] + direction[2] * direction[2]);
    inverse_distance = Wide(1) / distance;
    const Wide u = environment.falling.place(distance);
    s = environment.falling.value(u) * inverse_distance;
    s_slope = (environment.falling.slope(u) - s) * inverse_distance;
    for (int c = 0; c < 3; ++c) direction[c] *= inverse_distance;
  }

  // Row of the environment matrix, scaled and divided by the neighbour count.
  __device__ void row(const DeviceEnvironment<Wide> &environment, Wide *out) const {
    out[0] = s * environment.factor[0];
    for (int c = 0; c < 3; ++c) out[c + 1] = s * direction[c] * environment.factor[c + 1];
  }

  // Input of the embedding net.
  __device__ Wide input(const DeviceEnvironment<Wide> &environment) const {
    return (s - environment.mean) * environment.inverse_scale;
  }

  // dE/dr: row and input depend on r through s, and the three angular parts of the row on the direction.
  template <typename Real>
  __device__ void gradient(const DeviceEnvironment<Wide> &environment, const Real *by_row, Real by_input,
                           double *out) const {
    Wide by_direction[3], along = 0;
    for (int c = 0; c < 3; ++c) {
      by_direction[c] = by_row[c + 1] * environment.factor[c + 1];
      along += by_direction[c] * direction[c];
    }
    const Wide by_s = by_input * environment.inverse_scale + by_row[0] * environment.factor[0] + along;
    const Wide radial = by_s * s_slope, across = s * inverse_distance;
    for (int c = 0; c < 3; ++c)
      out[c] = static_cast<double>(radial * direction[c] + across * (by_direction[c] - along * direction[c]));
  }
};

}  // namespace pwmlff::cuda
