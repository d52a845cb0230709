// Activations of nets, and the exponential they share.
//
// Included only by files compiled once per instruction set. Written so that loops over them become vector code, but for
// the cosine; absolute error of a few units in the last place of 1.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "nets.hpp"

namespace pwmlff::PWMLFF_ISA {

// e^x for |x| <= 700 (float: 80): x = n ln 2 + r, |r| <= ln 2 / 2, e^r = 1 + r + r^2 q(r), scaled by 2^n. q
// interpolates at Chebyshev's nodes, which leaves an error of 2e-17; it is summed pair by pair, since a chain of ten
// products would keep the processor waiting.
inline double exponential(double x) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  const double shifted = x * 1.4426950408889634 + kShift;
  const double n = shifted - kShift;
  const double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  const double r2 = r * r, r4 = r2 * r2;
  const double q01 = 0.5000000000000001 + r * 0.16666666666666669;
  const double q23 = 0.041666666666624164 + r * 0.008333333333330065;
  const double q45 = 0.0013888888917196736 + r * 0.00019841269863040559;
  const double q67 = 2.480152132234228e-05 + r * 2.7557268480289716e-06;
  const double q89 = 2.7620075892548164e-07 + r * 2.51003758422237e-08;
  const double p = 1.0 + (r + r2 * ((q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89)));
  std::int64_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  const std::int64_t power = static_cast<std::int64_t>(static_cast<std::uint64_t>(bits + 1023) << 52);
  double scale;
  std::memcpy(&scale, &power, sizeof(scale));
  return p * scale;
}

inline float exponential(float x) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23
  const float shifted = x * 1.44269504f + kShift;
  const float n = shifted - kShift;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  std::int32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  const std::int32_t power = static_cast<std::int32_t>(static_cast<std::uint32_t>(bits + 127) << 23);
  float scale;
  std::memcpy(&scale, &power, sizeof(scale));
  return p * scale;
}

template <typename Real>
inline Real clamp(Real x, Real limit) {
  x = x < -limit ? -limit : x;
  return x > limit ? limit : x;
}

// Each tells a number to keep of z, and from that its value at z and the first and second derivative.

// Derivatives follow from the value.
struct FollowsFromValue {
  template <typename Real>
  static Real value(Real kept) {
    return kept;
  }
};

struct Tanh : FollowsFromValue {
  template <typename Real>
  static Real keep(Real z) {
    return Real(1) - Real(2) / (exponential(Real(2) * clamp(z, Real(20))) + Real(1));
  }
  template <typename Real>
  static Real first(Real a) {
    return Real(1) - a * a;
  }
  template <typename Real>
  static Real second(Real a, Real first) {
    return Real(-2) * a * first;
  }
};

struct Sigmoid : FollowsFromValue {
  template <typename Real>
  static Real keep(Real z) {
    return Real(1) / (Real(1) + exponential(-clamp(z, Real(40))));
  }
  template <typename Real>
  static Real first(Real a) {
    return a * (Real(1) - a);
  }
  template <typename Real>
  static Real second(Real a, Real first) {
    return first * (Real(1) - Real(2) * a);
  }
};

struct Linear : FollowsFromValue {
  template <typename Real>
  static Real keep(Real z) {
    return z;
  }
  template <typename Real>
  static Real first(Real) {
    return Real(1);
  }
  template <typename Real>
  static Real second(Real, Real) {
    return Real(0);
  }
};

// ln(1 + e^z), kept as z
struct Softplus {
  template <typename Real>
  static Real keep(Real z) {
    return z;
  }
  template <typename Real>
  static Real value(Real z) {
    const Real positive = z < Real(0) ? Real(0) : z, size = z < Real(0) ? -z : z;
    const Real t = exponential(-clamp(size, Real(80))), s = t / (Real(2) + t);
    return positive + Real(2) * s * inverse_tangent_series(s * s);
  }
  template <typename Real>
  static Real first(Real z) {
    return Sigmoid::keep(z);
  }
  template <typename Real>
  static Real second(Real, Real first) {
    return first * (Real(1) - first);
  }

 private:
  // artanh(s) / s for s^2 <= 1 / 9; ln(1 + t) = 2 artanh(t / (2 + t))
  template <typename Real>
  static Real inverse_tangent_series(Real square) {
    constexpr int kTerms = sizeof(Real) == 4 ? 8 : 16;
    Real sum = Real(1) / Real(2 * kTerms + 1);
#pragma GCC unroll 16
    for (int k = kTerms - 1; k >= 0; --k) sum = sum * square + Real(1) / Real(2 * k + 1);
    return sum;
  }
};

struct Relu : FollowsFromValue {
  template <typename Real>
  static Real keep(Real z) {
    return z < Real(0) ? Real(0) : z;
  }
  template <typename Real>
  static Real first(Real a) {
    return a > Real(0) ? Real(1) : Real(0);
  }
  template <typename Real>
  static Real second(Real, Real) {
    return Real(0);
  }
};

// e^(-z^2 / 2), kept as z
struct Gaussian {
  template <typename Real>
  static Real keep(Real z) {
    return z;
  }
  template <typename Real>
  static Real value(Real z) {
    return exponential(-clamp(Real(0.5) * z * z, Real(80)));
  }
  template <typename Real>
  static Real first(Real z) {
    return -z * value(z);
  }
  template <typename Real>
  static Real second(Real z, Real first) {
    return -value(z) - z * first;
  }
};

// cos z, kept as z
struct Cosine {
  template <typename Real>
  static Real keep(Real z) {
    return z;
  }
  template <typename Real>
  static Real value(Real z) {
    return std::cos(z);
  }
  template <typename Real>
  static Real first(Real z) {
    return -std::sin(z);
  }
  template <typename Real>
  static Real second(Real z, Real) {
    return -std::cos(z);
  }
};

struct ReverseSigmoid : FollowsFromValue {
  template <typename Real>
  static Real keep(Real z) {
    return Sigmoid::keep(-z);
  }
  template <typename Real>
  static Real first(Real a) {
    return a * (a - Real(1));
  }
  template <typename Real>
  static Real second(Real a, Real first) {
    return first * (Real(2) * a - Real(1));
  }
};

// e^-z
struct Decay : FollowsFromValue {
  template <typename Real>
  static Real keep(Real z) {
    return exponential(-clamp(z, Real(80)));
  }
  template <typename Real>
  static Real first(Real a) {
    return -a;
  }
  template <typename Real>
  static Real second(Real a, Real) {
    return a;
  }
};

// z^2, kept as z
struct Square {
  template <typename Real>
  static Real keep(Real z) {
    return z;
  }
  template <typename Real>
  static Real value(Real z) {
    return z * z;
  }
  template <typename Real>
  static Real first(Real z) {
    return Real(2) * z;
  }
  template <typename Real>
  static Real second(Real, Real) {
    return Real(2);
  }
};

// Calls `function` with the activation as a type.
template <typename Function>
inline void with_activation(ActivationKind kind, Function function) {
  switch (kind) {
    case ActivationKind::tanh: return function(Tanh());
    case ActivationKind::sigmoid: return function(Sigmoid());
    case ActivationKind::linear: return function(Linear());
    case ActivationKind::softplus: return function(Softplus());
    case ActivationKind::relu: return function(Relu());
    case ActivationKind::gaussian: return function(Gaussian());
    case ActivationKind::cosine: return function(Cosine());
    case ActivationKind::reverse_sigmoid: return function(ReverseSigmoid());
    case ActivationKind::decay: return function(Decay());
    case ActivationKind::square: return function(Square());
  }
}

}  // namespace pwmlff::PWMLFF_ISA
