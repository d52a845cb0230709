// The switch of the smooth Deep Potential: 1 below `inner`, 0 beyond `outer`, twice continuously differentiable at both
// (Zhang et al., NeurIPS 2018).
//
//   f(u) = 1 + u^3 (-6 u^2 + 15 u - 10),  u = (r - inner) / (outer - inner) within [0, 1]
#pragma once

#include "inline.hpp"

namespace pwmlff {

template <typename Real>
struct QuinticSwitch {
  Real inner, inverse_width;

  PWMLFF_INLINE QuinticSwitch(double inner_radius, double outer_radius)
      : inner(inner_radius), inverse_width(1.0 / (outer_radius - inner_radius)) {}

  // u at a distance; NaN stays NaN.
  PWMLFF_INLINE Real place(Real distance) const {
    Real u = (distance - inner) * inverse_width;
    u = u < Real(0) ? Real(0) : u;
    return u > Real(1) ? Real(1) : u;
  }

  PWMLFF_INLINE static Real value(Real u) { return Real(1) + u * u * u * (u * (Real(15) - Real(6) * u) - Real(10)); }

  // First and second derivative by the distance.
  PWMLFF_INLINE Real slope(Real u) const {
    const Real rest = Real(1) - u;
    return Real(-30) * u * u * rest * rest * inverse_width;
  }
  PWMLFF_INLINE Real curvature(Real u) const {
    return Real(-60) * u * (Real(1) - u) * (Real(1) - Real(2) * u) * inverse_width * inverse_width;
  }
};

}  // namespace pwmlff
