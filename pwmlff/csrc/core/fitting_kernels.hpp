// The functions of fitting.hpp once per instruction set, one namespace each.
#pragma once

#include "fitting.hpp"

#define PWMLFF_DECLARE_FITTING(isa)                                                                          \
  namespace pwmlff::isa {                                                                                    \
  template <typename Real>                                                                                   \
  void fitting_energies(const FittingNet<Real> &net, Real *energies, std::int64_t first, std::int64_t last); \
  template <typename Real>                                                                                   \
  void fitting_backward(const FittingNet<Real> &net, const Real *factors, const FittingGradients<Real> &out, \
                        std::int64_t first, std::int64_t last);                                              \
  template <typename Real>                                                                                   \
  void fitting_double_backward(const FittingNet<Real> &net, const Real *factors, const Real *directions,     \
                               const FittingGradients<Real> &out, std::int64_t first, std::int64_t last);    \
  }

#if defined(__x86_64__)
PWMLFF_DECLARE_FITTING(v2)
PWMLFF_DECLARE_FITTING(v3)
PWMLFF_DECLARE_FITTING(v4)
#else
PWMLFF_DECLARE_FITTING(generic)
#endif
