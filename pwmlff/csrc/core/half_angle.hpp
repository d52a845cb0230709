// Inverse roots, and sine and cosine within a quarter of a turn, of numbers and of vectors of them.
#pragma once

#include <cmath>

#include "inline.hpp"

namespace pwmlff {

// 1 / sqrt(x). On a processor: dividers are slow in double, so Halley's iteration takes the result of float to full
// precision.
PWMLFF_INLINE double inverse_root(double x) {
#if defined(__CUDA_ARCH__)
  return rsqrt(x);
#else
  const double y = 1.0f / std::sqrt(static_cast<float>(x));
  const double error = 1.0 - x * y * y;
  return y + y * error * (0.5 + 0.375 * error);
#endif
}
PWMLFF_INLINE float inverse_root(float x) {
#if defined(__CUDA_ARCH__)
  return rsqrtf(x);
#else
  return 1.0f / std::sqrt(x);
#endif
}

// Polynomials in w for sin(pi/2 sqrt(w)) / sqrt(w) and pi/2 cos(pi/2 sqrt(w)) on [0, 1], of least largest error: 2e-16
// and 6e-18 for double, 7e-9 and 4e-10 for float.
template <typename Real>
struct HalfAngle;
template <>
struct HalfAngle<double> {
  double sine[8] = {1.57079632679489644,     -0.645964097506223228,   0.0796926262456833634,  -0.00468175413144706254,
                    0.000160441169563106303, -3.59881070631367953e-6, 5.68831806401779533e-8, -6.44947123780913403e-10};
  double cosine[9] = {1.57079632679489661,    -1.93789229251873776,    0.398463131230808599,
                      -0.032772278946957341,  0.00144397066167890091,  -0.0000395872715176637205,
                      7.39975562782794842e-7, -1.00251927469889913e-8, 9.94586249537971743e-11};
};
template <>
struct HalfAngle<float> {
  float sine[5] = {1.57079632f, -0.645963760f, 0.0796899183f, -0.00467414384f, 0.000151671704f};
  float cosine[6] = {1.57079633f, -1.93789227f, 0.398462839f, -0.0327710317f, 0.00144155580f, -0.0000374228911f};
};

template <typename Real, typename Number, int size>
PWMLFF_INLINE Number polynomial(const Real (&coefficients)[size], const Number &w) {
  Number sum = Number{} + coefficients[size - 1];
  PWMLFF_UNROLL(16)
  for (int k = size - 2; k >= 0; --k) sum = sum * w + coefficients[k];
  return sum;
}

}  // namespace pwmlff
