// Geometry and radial functions of one pair on the device.
#pragma once

#include <cstdint>

#include "cuda/nep/warp.hpp"
#include "nep/chebyshev.hpp"

namespace pwmlff::cuda {

template <typename Wide>
struct NepPair {
  Wide squared, inverse, x, y, z;  // Å^2, 1/Å; unit vector

  __device__ explicit NepPair(const double *vector)
      : x(static_cast<Wide>(vector[0])), y(static_cast<Wide>(vector[1])), z(static_cast<Wide>(vector[2])) {
    squared = x * x + y * y + z * z;
    inverse = inverse_root(squared);
    x *= inverse;
    y *= inverse;
    z *= inverse;
  }

  // A distance that is not a number counts as near: it must not vanish.
  __device__ bool is_within(double square) const { return !(squared >= static_cast<Wide>(square)); }
};

// w = (1 - r / r_c)^2, the argument of chebyshev.hpp, and its derivative by r.
template <typename Real>
struct FallingSquare {
  Real value, slope;

  template <typename Wide>
  __device__ FallingSquare(const NepPair<Wide> &pair, double inverse_radius) {
    const Wide over = static_cast<Wide>(inverse_radius), inside = Wide(1) - pair.squared * pair.inverse * over;
    const Wide v = inside < Wide(0) ? Wide(0) : inside;
    value = static_cast<Real>(v * v);
    slope = static_cast<Real>(Wide(-2) * v * over);
  }
};

// g_n of a block of functions of a kind of pair, which is T times the central type and the neighbour's.
template <typename Number, typename Real>
__device__ Few<Number> radial_functions(const NepFunctions<Real> &functions, int kind, int block,
                                        const FallingSquare<Number> &w) {
  const int stride = functions.blocks();
  const Few<Real> *row = reinterpret_cast<const Few<Real> *>(functions.coefficients) +
                         static_cast<std::int64_t>(kind) * functions.n_basis * stride + block;
  Few<Number> g = {};
  nep::BasisFunctions<Number, Number> basis(w.value);
  for (int k = 0; k < functions.n_basis; ++k, row += stride, basis.advance()) {
    const Few<Real> c = *row;
    for (int n = 0; n < kFew; ++n) g.of[n] += basis.value() * static_cast<Number>(c.of[n]);
  }
  return g;
}

// The same with dg_n/dr.
template <typename Number, typename Real>
__device__ void radial_functions(const NepFunctions<Real> &functions, int kind, int block,
                                 const FallingSquare<Number> &w, Few<Number> &g, Few<Number> &slope) {
  const int stride = functions.blocks();
  const Few<Real> *row = reinterpret_cast<const Few<Real> *>(functions.coefficients) +
                         static_cast<std::int64_t>(kind) * functions.n_basis * stride + block;
  g = slope = {};
  nep::BasisFunctions<Number, Number> basis(w.value);
  for (int k = 0; k < functions.n_basis; ++k, row += stride, basis.advance()) {
    const Few<Real> c = *row;
    const Number value = basis.value(), by_distance = basis.slope() * w.slope;
    for (int n = 0; n < kFew; ++n) {
      g.of[n] += value * static_cast<Number>(c.of[n]);
      slope.of[n] += by_distance * static_cast<Number>(c.of[n]);
    }
  }
}

}  // namespace pwmlff::cuda
