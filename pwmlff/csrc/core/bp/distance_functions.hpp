// The functions of distance_function.hpp and their derivatives at many distances.
//
// Beyond its cutoff a function and its derivative are exactly 0; what is not a number stays so.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "activation.hpp"
#include "bp/distance_function.hpp"
#include "buffer.hpp"
#include "half_angle.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real>
struct ValueAndSlope {
  Real value, slope;
};

template <typename Real>
constexpr Real kHalfPi = static_cast<Real>(1.57079632679489661923);

// Of functions that fall off: far from where e^x would be no normal number.
template <typename Real>
constexpr Real kSmallestExponent = sizeof(Real) == 4 ? Real(-80) : Real(-700);

// cos(pi v / 2) and its derivative by v, for |v| <= 1
template <typename Real>
inline ValueAndSlope<Real> half_angle_cosine(Real v) {
  constexpr HalfAngle<Real> half;
  const Real w = v * v;
  return {polynomial(half.cosine, w) / kHalfPi<Real>, -kHalfPi<Real> * v * polynomial(half.sine, w)};
}

// Each with f(x) and df/dx within the cutoff.
struct HardCutoff {
  template <typename Real>
  static ValueAndSlope<Real> at(Real) {
    return {Real(1), Real(0)};
  }
};

struct CosineFalloff {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    const ValueAndSlope<Real> c = half_angle_cosine(x);
    return {c.value * c.value, Real(2) * c.value * c.slope};
  }
};

struct TanhCubed {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    const Real t = Tanh::keep(Real(1) - x);
    return {t * t * t, Real(-3) * t * t * (Real(1) - t * t)};
  }
};

struct TanhCubedUnit {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    constexpr Real kScale = static_cast<Real>(2.2637537952253513);  // 1 / tanh^3(1)
    const ValueAndSlope<Real> f = TanhCubed::at(x);
    return {kScale * f.value, kScale * f.slope};
  }
};

struct Bump {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    Real y = Real(1) / (Real(1) - x * x);
    y = y > -kSmallestExponent<Real> ? -kSmallestExponent<Real> : y;
    const Real f = exponential(Real(1) - y);
    return {f, Real(-2) * x * y * y * f};
  }
};

struct Poly1 {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    return {Real(1) + x * x * (Real(2) * x - Real(3)), Real(6) * x * (x - Real(1))};
  }
};

struct Poly2 {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    const Real rest = Real(1) - x;
    return {Real(1) + x * x * x * (x * (Real(15) - Real(6) * x) - Real(10)), Real(-30) * x * x * rest * rest};
  }
};

struct Poly3 {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    const Real x2 = x * x, product = x * (Real(1) - x);
    return {Real(1) + x2 * x2 * (x * (x * (Real(20) * x - Real(70)) + Real(84)) - Real(35)),
            Real(-140) * product * product * product};
  }
};

struct Poly4 {
  template <typename Real>
  static ValueAndSlope<Real> at(Real x) {
    const Real x2 = x * x, product = x * (Real(1) - x), squared = product * product;
    return {Real(1) + x2 * x2 * x * (x * (x * ((Real(315) - Real(70) * x) * x - Real(540)) + Real(420)) - Real(126)),
            Real(-630) * squared * squared};
  }
};

// Calls `function` with the cutoff function as a type.
template <typename Function>
inline void with_cutoff(bp::CutoffKind kind, Function function) {
  switch (kind) {
    case bp::CutoffKind::hard: return function(HardCutoff());
    case bp::CutoffKind::cosine: return function(CosineFalloff());
    case bp::CutoffKind::tanh_cubed: return function(TanhCubed());
    case bp::CutoffKind::tanh_cubed_unit: return function(TanhCubedUnit());
    case bp::CutoffKind::bump: return function(Bump());
    case bp::CutoffKind::poly1: return function(Poly1());
    case bp::CutoffKind::poly2: return function(Poly2());
    case bp::CutoffKind::poly3: return function(Poly3());
    case bp::CutoffKind::poly4: return function(Poly4());
  }
}

template <typename Real>
class DistanceFunctions {
 public:
  DistanceFunctions(const bp::CutoffFunction &cutoff, const std::vector<bp::DistanceFunction> &functions)
      : cutoff_(cutoff), functions_(functions) {
    using Kind = bp::DistanceFunction::Kind;
    if (cutoff.kind == bp::CutoffKind::tanh_cubed || cutoff.kind == bp::CutoffKind::tanh_cubed_unit)
      cutoff_.inner_fraction = 0;
    for (const bp::DistanceFunction &f : functions)
      radius_.push_back(f.kind == Kind::piece ? -1 : bp::place_in(radii_, f.cutoff));
  }

  std::int64_t count() const { return static_cast<std::int64_t>(functions_.size()); }

  // Writes values and derivatives [count, stride] at n distances r in Å; `work` is for cutoff functions.
  void evaluate(const Real *r, std::int64_t n, std::int64_t stride, Real *values, Real *slopes,
                Buffer<Real> &work) const {
    provide(work, 2 * n * static_cast<std::int64_t>(radii_.size()));
    for (std::size_t c = 0; c < radii_.size(); ++c)
      write_cutoff(radii_[c], r, n, work.data() + 2 * c * n, work.data() + (2 * c + 1) * n);
    for (std::int64_t f = 0; f < count(); ++f) {
      const Real *within = work.data() + 2 * std::max(radius_[f], 0) * n;
      write(functions_[f], r, n, within, within + n, values + f * stride, slopes + f * stride);
    }
  }

 private:
  void write_cutoff(double radius, const Real *r, std::int64_t n, Real *values, Real *slopes) const {
    const double inner_radius = cutoff_.inner_fraction * radius;
    const Real outer = radius, inner = inner_radius, inverse = 1 / (radius - inner_radius);
    with_cutoff(cutoff_.kind, [&](auto kind) {
      const Real *__restrict from = r;
      Real *__restrict to = values, *__restrict to_slope = slopes;
#pragma omp simd
      for (std::int64_t p = 0; p < n; ++p) {
        Real x = (from[p] - inner) * inverse;
        x = x < Real(0) ? Real(0) : x;
        x = x > Real(1) ? Real(1) : x;
        const ValueAndSlope<Real> f = decltype(kind)::at(x);
        const bool is_beyond = from[p] >= outer;
        to[p] = is_beyond ? Real(0) : f.value;
        to_slope[p] = is_beyond || from[p] < inner ? Real(0) : f.slope * inverse;
      }
    });
  }

  // From the cutoff function and its derivative, where the function has them.
  static void write(const bp::DistanceFunction &function, const Real *r, std::int64_t n, const Real *within,
                    const Real *within_slope, Real *values, Real *slopes) {
    const Real *__restrict from = r, *__restrict f = within, *__restrict f_slope = within_slope;
    Real *__restrict to = values, *__restrict to_slope = slopes;
    const Real first = function.first, second = function.second;
    switch (function.kind) {
      case bp::DistanceFunction::Kind::cutoff:
        std::copy_n(f, n, to);
        std::copy_n(f_slope, n, to_slope);
        return;
      case bp::DistanceFunction::Kind::gaussian:
#pragma omp simd
        for (std::int64_t p = 0; p < n; ++p) {
          const Real d = from[p] - second;
          Real exponent = -first * d * d;
          exponent = exponent < kSmallestExponent<Real> ? kSmallestExponent<Real> : exponent;
          const Real e = exponential(exponent);
          to[p] = e * f[p];
          to_slope[p] = e * (f_slope[p] - Real(2) * first * d * f[p]);
        }
        return;
      case bp::DistanceFunction::Kind::cosine:
#pragma omp simd
        for (std::int64_t p = 0; p < n; ++p) {
          const ValueAndSlope<Real> c = cosine_of(first * from[p]);
          to[p] = c.value * f[p];
          to_slope[p] = c.value * f_slope[p] + first * c.slope * f[p];
        }
        return;
      case bp::DistanceFunction::Kind::piece: {
        const Real inverse = Real(1) / second;
#pragma omp simd
        for (std::int64_t p = 0; p < n; ++p) {
          Real v = (from[p] - first) * inverse;
          const bool is_beyond = v >= Real(1) || v <= Real(-1);
          v = is_beyond ? Real(1) : v;
          const ValueAndSlope<Real> c = half_angle_cosine(v);
          to[p] = is_beyond ? Real(0) : c.value * c.value;
          to_slope[p] = is_beyond ? Real(0) : Real(2) * c.value * c.slope * inverse;
        }
        return;
      }
    }
  }

  // cos y and its derivative, for y of some turns
  static ValueAndSlope<Real> cosine_of(Real y) {
    constexpr Real kShift = sizeof(Real) == 4 ? Real(12582912.0) : Real(6755399441055744.0);  // rounds, see exponential
    const Real turns = y * (Real(0.5) / kHalfPi<Real>);
    const Real n = (turns + kShift) - kShift, half = Real(0.5) * n, odd = half - ((half + kShift) - kShift);
    const ValueAndSlope<Real> c = half_angle_cosine(Real(2) * (turns - n));
    const Real sign = odd == Real(0) ? Real(1) : Real(-1);
    return {sign * c.value, sign * c.slope / kHalfPi<Real>};
  }

  bp::CutoffFunction cutoff_;
  std::vector<bp::DistanceFunction> functions_;
  std::vector<double> radii_;  // of cutoff functions
  std::vector<int> radius_;    // of each function, its place there; -1 where it has none
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
