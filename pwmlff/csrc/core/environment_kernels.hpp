// The functions of environment.hpp once per instruction set, one namespace each.
#pragma once

#include "environment.hpp"

#define PWMLFF_DECLARE_ENVIRONMENT(isa)                                                                              \
  namespace pwmlff::isa {                                                                                            \
  template <typename Real>                                                                                           \
  void environment_matrix(const EnvironmentPairs &pairs, const EnvironmentValues<Real> &out, std::int64_t first,     \
                          std::int64_t last);                                                                        \
  template <typename Real>                                                                                           \
  void environment_gradient(const EnvironmentPairs &pairs, const EnvironmentValues<const Real> &by,                  \
                            double *by_vectors, std::int64_t first, std::int64_t last);                              \
  template <typename Real>                                                                                           \
  void environment_double_gradient(const EnvironmentPairs &pairs, const EnvironmentValues<const Real> &by,           \
                                   const double *directions, const EnvironmentValues<Real> &out, double *by_vectors, \
                                   std::int64_t first, std::int64_t last);                                           \
  }

#if defined(__x86_64__)
PWMLFF_DECLARE_ENVIRONMENT(v2)
PWMLFF_DECLARE_ENVIRONMENT(v3)
PWMLFF_DECLARE_ENVIRONMENT(v4)
#else
PWMLFF_DECLARE_ENVIRONMENT(generic)
#endif
