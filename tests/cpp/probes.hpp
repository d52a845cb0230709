// What the tests call of the headers that are compiled once per instruction set.
#pragma once

#include <cstdint>
#include <vector>

#include "for_each_isa.hpp"
#include "isa.hpp"
#include "nets.hpp"

namespace pwmlff {

// A net's outputs y [n, n_out] and their derivatives along a direction of the inputs.
template <typename Real>
struct NetOutputs {
  std::vector<Real> y, y1;
};

// Gradients of sum(bar * y + bar1 * y'), and by the parameters those of sum(bar1 * y).
template <typename Real>
struct NetGradients {
  std::vector<Real> parameters, x, of_values;
};

template <typename Real>
struct Probes {
  Isa isa;
  Real (*exponential)(Real);
  Real (*tanh)(Real);
  Real (*sigmoid)(Real);
  std::int64_t lanes;  // columns of a product are a multiple of it
  void (*multiply)(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Real *a, std::int64_t a_row,
                   std::int64_t a_column, const Real *b, std::int64_t b_row, Real *c, std::int64_t c_row,
                   bool accumulate);
  // inputs x and directions x1 [n, n_in]
  NetOutputs<Real> (*net)(const NetView<Real> &, const std::vector<Real> &x, const std::vector<Real> &x1);
  NetGradients<Real> (*net_gradients)(const NetView<Real> &, const std::vector<Real> &x, const std::vector<Real> &x1,
                                      const std::vector<Real> &bar, const std::vector<Real> &bar1);
};

// Those that this processor can run.
template <typename Real>
std::vector<Probes<Real>> all_probes();

#define PWMLFF_DECLARE_PROBES(isa) \
  namespace isa {                  \
  template <typename Real>         \
  Probes<Real> probes();           \
  }
PWMLFF_FOR_EACH_ISA(PWMLFF_DECLARE_PROBES)

}  // namespace pwmlff
