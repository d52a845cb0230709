// The functions of dp.hpp once per instruction set, one namespace each.
#pragma once

#include "dp.hpp"

#define PWMLFF_DECLARE_DP(isa)                                                \
  namespace pwmlff::isa {                                                     \
  template <typename Real>                                                    \
  std::unique_ptr<DpEvaluator> make_dp_evaluator(const DpModel<Real> &model); \
  }

#if defined(__x86_64__)
PWMLFF_DECLARE_DP(v2)
PWMLFF_DECLARE_DP(v3)
PWMLFF_DECLARE_DP(v4)
#else
PWMLFF_DECLARE_DP(generic)
#endif
