// Cutoff and Chebyshev polynomials for a vector of pairs, as functions of w = (1 - r / r_c)^2: the argument of the
// polynomials is x = 2 w - 1.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

#include "gemm.hpp"
#include "half_angle.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// f_c = (1 + cos(pi r / r_c)) / 2 = sin^2(pi/2 sqrt(w)), and its derivative by w. Exactly 0 at the cutoff.
template <typename Real, std::int64_t lanes>
struct CosineCutoff {
  using Vector = typename VectorOf<Real, lanes>::type;

  Vector value, slope;

  explicit CosineCutoff(const Vector &w) {
    const Vector sine = polynomial(HalfAngle<Real>::sine, w);
    value = w * sine * sine;
    slope = sine * polynomial(HalfAngle<Real>::cosine, w);
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
