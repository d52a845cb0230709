// Cutoff and Chebyshev polynomials for a vector of pairs, as functions of w = (1 - r / r_c)^2: the argument of the
// polynomials is x = 2 w - 1.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cmath>
#include <cstdint>

#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// 1 / sqrt(x): dividers are slow in double, so Halley's iteration takes the result of float to full precision.
inline double inverse_root(double x) {
  const double y = 1.0f / std::sqrt(static_cast<float>(x));
  const double error = 1.0 - x * y * y;
  return y + y * error * (0.5 + 0.375 * error);
}
inline float inverse_root(float x) {
  return 1.0f / std::sqrt(x);
}

// Polynomials in w for sin(pi/2 sqrt(w)) / sqrt(w) and pi/2 cos(pi/2 sqrt(w)) on [0, 1], of least largest error: 2e-16
// and 6e-18 for double, 7e-9 and 4e-10 for float.
template <typename Real>
struct HalfAngle;
template <>
struct HalfAngle<double> {
  static constexpr double sine[] = {1.57079632679489644,     -0.645964097506223228,   0.0796926262456833634,
                                    -0.00468175413144706254, 0.000160441169563106303, -3.59881070631367953e-6,
                                    5.68831806401779533e-8,  -6.44947123780913403e-10};
  static constexpr double cosine[] = {1.57079632679489661,    -1.93789229251873776,    0.398463131230808599,
                                      -0.032772278946957341,  0.00144397066167890091,  -0.0000395872715176637205,
                                      7.39975562782794842e-7, -1.00251927469889913e-8, 9.94586249537971743e-11};
};
template <>
struct HalfAngle<float> {
  static constexpr float sine[] = {1.57079632f, -0.645963760f, 0.0796899183f, -0.00467414384f, 0.000151671704f};
  static constexpr float cosine[] = {1.57079633f,    -1.93789227f,   0.398462839f,
                                     -0.0327710317f, 0.00144155580f, -0.0000374228911f};
};

template <typename Real, std::int64_t lanes, int size>
inline typename VectorOf<Real, lanes>::type polynomial(const Real (&coefficients)[size],
                                                       const typename VectorOf<Real, lanes>::type &w) {
  using Vector = typename VectorOf<Real, lanes>::type;
  Vector sum = Vector{} + coefficients[size - 1];
#pragma GCC unroll 16
  for (int k = size - 2; k >= 0; --k) sum = sum * w + coefficients[k];
  return sum;
}

// f_c = (1 + cos(pi r / r_c)) / 2 = sin^2(pi/2 sqrt(w)), and its derivative by w. Exactly 0 at the cutoff.
template <typename Real, std::int64_t lanes>
struct CosineCutoff {
  using Vector = typename VectorOf<Real, lanes>::type;

  Vector value, slope;

  explicit CosineCutoff(const Vector &w) {
    const Vector sine = polynomial<Real, lanes>(HalfAngle<Real>::sine, w);
    value = w * sine * sine;
    slope = sine * polynomial<Real, lanes>(HalfAngle<Real>::cosine, w);
  }
};

// f_c T_k for k = 0, 1, ..., and its derivative by w.
template <typename Real, std::int64_t lanes>
class BasisFunctions {
 public:
  using Vector = typename VectorOf<Real, lanes>::type;

  explicit BasisFunctions(const Vector &w) : BasisFunctions(w, CosineCutoff<Real, lanes>(w)) {}

  Vector value() const { return cutoff_ * t_; }
  Vector slope() const { return cutoff_slope_ * t_ + (Real(2) * k_) * (cutoff_ * u_); }

  void advance() {
    const Vector t = twice_x_ * t_ - t_last_, u = twice_x_ * u_ - u_last_;
    t_last_ = t_;
    t_ = t;
    u_last_ = u_;
    u_ = u;
    k_ += Real(1);
  }

 private:
  BasisFunctions(const Vector &w, const CosineCutoff<Real, lanes> &cutoff)
      : cutoff_(cutoff.value),
        cutoff_slope_(cutoff.slope),
        twice_x_(Real(4) * w - Real(2)),
        t_(Vector{} + Real(1)),
        t_last_(Real(0.5) * twice_x_),
        u_(Vector{}),
        u_last_(Vector{} - Real(1)) {}

  Vector cutoff_, cutoff_slope_, twice_x_;
  Vector t_, t_last_;  // T_k and T_(k - 1), from T_(-1) = T_1
  Vector u_, u_last_;  // U_(k - 1) and U_(k - 2), with dT_k/dx = k U_(k - 1)
  Real k_ = 0;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
