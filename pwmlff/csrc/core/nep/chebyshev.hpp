// Cutoff and Chebyshev polynomials as functions of w = (1 - r / r_c)^2: the argument of the polynomials is x = 2 w - 1.
//
// Number is Real, or a vector of such for several pairs at once. Those of others are taken by value: in memory they may
// be aligned to less.
#pragma once

#include "half_angle.hpp"
#include "inline.hpp"

namespace pwmlff::nep {

// f_c = (1 + cos(pi r / r_c)) / 2 = sin^2(pi/2 sqrt(w)), and its derivative by w. Exactly 0 at the cutoff.
template <typename Real, typename Number>
struct CosineCutoff {
  Number value, slope;

  PWMLFF_INLINE explicit CosineCutoff(Number w) {
    constexpr HalfAngle<Real> half;  // a copy, since a GPU does not see constants outside of functions
    const Number sine = polynomial(half.sine, w);
    value = w * sine * sine;
    slope = sine * polynomial(half.cosine, w);
  }
};

// f_c T_k for k = 0, 1, ..., and its derivative by w.
template <typename Real, typename Number>
class BasisFunctions {
 public:
  PWMLFF_INLINE explicit BasisFunctions(Number w) : BasisFunctions(w, CosineCutoff<Real, Number>(w)) {}

  PWMLFF_INLINE Number value() const { return cutoff_ * t_; }
  PWMLFF_INLINE Number slope() const { return cutoff_slope_ * t_ + (Real(2) * k_) * (cutoff_ * u_); }

  PWMLFF_INLINE void advance() {
    const Number t = twice_x_ * t_ - t_last_, u = twice_x_ * u_ - u_last_;
    t_last_ = t_;
    t_ = t;
    u_last_ = u_;
    u_ = u;
    k_ += Real(1);
  }

 private:
  PWMLFF_INLINE BasisFunctions(const Number &w, const CosineCutoff<Real, Number> &cutoff)
      : cutoff_(cutoff.value),
        cutoff_slope_(cutoff.slope),
        twice_x_(Real(4) * w - Real(2)),
        t_(Number{} + Real(1)),
        t_last_(Real(0.5) * twice_x_),
        u_(Number{}),
        u_last_(Number{} - Real(1)) {}

  Number cutoff_, cutoff_slope_, twice_x_;
  Number t_, t_last_;  // T_k and T_(k - 1), from T_(-1) = T_1
  Number u_, u_last_;  // U_(k - 1) and U_(k - 2), with dT_k/dx = k U_(k - 1)
  Real k_ = 0;
};

}  // namespace pwmlff::nep
