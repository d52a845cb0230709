// The function of kalman.hpp once per instruction set, one namespace each.
#pragma once

#include "kalman.hpp"

#define PWMLFF_DECLARE_KALMAN(isa)                                                                          \
  namespace pwmlff::isa {                                                                                   \
  template <typename Real>                                                                                  \
  void kalman_sweep(const KalmanSweep<Real> &sweep, Real *products, std::int64_t first, std::int64_t last); \
  }

#if defined(__x86_64__)
PWMLFF_DECLARE_KALMAN(v2)
PWMLFF_DECLARE_KALMAN(v3)
PWMLFF_DECLARE_KALMAN(v4)
#else
PWMLFF_DECLARE_KALMAN(generic)
#endif
