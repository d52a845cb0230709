// Kernels of environment.hpp.
#include "dp/environment.hpp"

#include <cmath>

#include "kernel.hpp"
#include "quintic_switch.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

using namespace dp;

struct Vector3 {
  double x, y, z;
};

inline Vector3 operator*(double factor, const Vector3 &v) {
  return {factor * v.x, factor * v.y, factor * v.z};
}

inline Vector3 operator+(const Vector3 &a, const Vector3 &b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}

inline double dot(const Vector3 &a, const Vector3 &b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

inline Vector3 load(const double *from) {
  return {from[0], from[1], from[2]};
}

inline void store(double *to, const Vector3 &v) {
  to[0] = v.x;
  to[1] = v.y;
  to[2] = v.z;
}

// Normalisation for one central type.
struct Scale {
  double mean, input;  // input = input (s - mean)
  double radial;       // first number of the row
  Vector3 angular;     // the other three

  Scale(const EnvironmentPairs &pairs, std::int64_t type) {
    const double *scale = pairs.scale + 4 * type;
    const double factor = 1.0 / pairs.n_neighbors;
    mean = pairs.mean[type];
    input = 1.0 / scale[0];
    radial = factor / scale[0];
    angular = {factor / scale[1], factor / scale[2], factor / scale[3]};
  }

  // Coefficients of s and of the unit vector times s, from gradients by input and row.
  template <typename Real>
  double of_s(const EnvironmentValues<const Real> &by, std::int64_t p) const {
    return input * by.input[p] + radial * by.rows[4 * p];
  }
  template <typename Real>
  Vector3 of_angular(const EnvironmentValues<const Real> &by, std::int64_t p) const {
    const Real *row = by.rows + 4 * p;
    return {angular.x * row[1], angular.y * row[2], angular.z * row[3]};
  }
};

// Distance, direction, and s with two derivatives by r.
struct Geometry {
  double inverse;  // 1 / r
  Vector3 n;       // r / |r|
  double s, slope, curvature;

  Geometry(const EnvironmentPairs &pairs, std::int64_t pair) {
    const Vector3 v = load(pairs.vectors + 3 * pair);
    const QuinticSwitch<double> falling(pairs.inner, pairs.outer);
    const double r = std::sqrt(dot(v, v)), u = falling.place(r);
    inverse = 1.0 / r;
    n = inverse * v;
    s = falling.value(u) * inverse;
    slope = (falling.slope(u) - s) * inverse;
    curvature = (falling.curvature(u) - 2.0 * slope) * inverse;
  }
};

template <typename Real>
void run(const EnvironmentMatrix<Real> &arguments, std::int64_t first, std::int64_t last) {
  const EnvironmentPairs &pairs = arguments.pairs;
  const EnvironmentValues<Real> &out = arguments.out;
  for (std::int64_t p = first; p < last; ++p) {
    const std::int64_t pair = pairs.order[p];
    const Scale scale(pairs, pairs.types[pair]);
    const Geometry geometry(pairs, pair);
    const double s = geometry.s;
    out.input[p] = static_cast<Real>(scale.input * (s - scale.mean));
    out.rows[4 * p] = static_cast<Real>(scale.radial * s);
    out.rows[4 * p + 1] = static_cast<Real>(scale.angular.x * s * geometry.n.x);
    out.rows[4 * p + 2] = static_cast<Real>(scale.angular.y * s * geometry.n.y);
    out.rows[4 * p + 3] = static_cast<Real>(scale.angular.z * s * geometry.n.z);
  }
}

// g = (a + b.n) s' n + s/r (b - (b.n) n), with a of s and b of the angular part
template <typename Real>
void run(const EnvironmentGradient<Real> &arguments, std::int64_t first, std::int64_t last) {
  const EnvironmentPairs &pairs = arguments.pairs;
  const EnvironmentValues<const Real> &by = arguments.by;
  for (std::int64_t p = first; p < last; ++p) {
    const std::int64_t pair = pairs.order[p];
    const Scale scale(pairs, pairs.types[pair]);
    const Geometry geometry(pairs, pair);
    const Vector3 b = scale.of_angular(by, p), &n = geometry.n;
    const double along = dot(b, n), across = geometry.s * geometry.inverse;
    const double radial = (scale.of_s(by, p) + along) * geometry.slope - across * along;
    store(arguments.by_vectors + 3 * pair, radial * n + across * b);
  }
}

// d.g = a s' (d.n) + k (b.n) (d.n) + t (b.d), with t = s/r and k = s' - t. Where they are differentiated by the vector:
// t' = k/r, k' = s'' - k/r, and the derivative of d.n is (d - (d.n) n) / r.
template <typename Real>
void run(const EnvironmentDoubleGradient<Real> &arguments, std::int64_t first, std::int64_t last) {
  const EnvironmentPairs &pairs = arguments.pairs;
  const EnvironmentValues<const Real> &by = arguments.by;
  const EnvironmentValues<Real> &out = arguments.out;
  for (std::int64_t p = first; p < last; ++p) {
    const std::int64_t pair = pairs.order[p];
    const Scale scale(pairs, pairs.types[pair]);
    const Geometry geometry(pairs, pair);
    const Vector3 d = load(arguments.directions + 3 * pair), &n = geometry.n;
    const double t = geometry.s * geometry.inverse, k = geometry.slope - t, d_along = dot(d, n);
    const double by_s = geometry.slope * d_along;
    const Vector3 by_angular = k * d_along * n + t * d;
    if (out.input) out.input[p] = static_cast<Real>(scale.input * by_s);
    if (out.rows) {
      Real *row = out.rows + 4 * p;
      row[0] = static_cast<Real>(scale.radial * by_s);
      row[1] = static_cast<Real>(scale.angular.x * by_angular.x);
      row[2] = static_cast<Real>(scale.angular.y * by_angular.y);
      row[3] = static_cast<Real>(scale.angular.z * by_angular.z);
    }
    if (arguments.by_vectors) {
      const double a = scale.of_s(by, p), w = geometry.inverse;
      const Vector3 b = scale.of_angular(by, p);
      const double b_along = dot(b, n), k_slope = geometry.curvature - k * w;
      const double radial = a * (geometry.curvature - geometry.slope * w) * d_along +
                            (k_slope - 2.0 * k * w) * b_along * d_along + k * w * dot(b, d);
      store(arguments.by_vectors + 3 * pair,
            radial * n + (a * geometry.slope + k * b_along) * w * d + k * d_along * w * b);
    }
  }
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA

PWMLFF_KERNEL(dp::EnvironmentMatrix)
PWMLFF_KERNEL(dp::EnvironmentGradient)
PWMLFF_KERNEL(dp::EnvironmentDoubleGradient)
