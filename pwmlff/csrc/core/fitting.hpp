// Fitting net: descriptor -> energy, E_i = w . y(x_i) + c with a residual net y; values and two derivatives.
//
// Letters: n atoms, D length of the descriptor, P parameters.
#pragma once

#include <cstdint>

#include "nets.hpp"

namespace pwmlff {

// The net's parameters are followed by w [widths.back()] and c [1].
template <typename Real>
struct FittingNet {
  NetView<Real> hidden;
  const Real *inputs;  // x [n, D]
};

// What a derivative writes; a null pointer is not wanted. Parameter gradients are added to, the rest overwritten.
template <typename Real>
struct FittingGradients {
  Real *inputs = nullptr;      // [n, D]
  Real *parameters = nullptr;  // [P]
  Real *energies = nullptr;    // [n], gradient with respect to `factors` (second derivative only)
};

// Energies of the atoms first..last.
template <typename Real>
void fitting_energies(const FittingNet<Real> &net, Real *energies, std::int64_t first, std::int64_t last);

// Gradients of sum_i factors_i E_i.
template <typename Real>
void fitting_backward(const FittingNet<Real> &net, const Real *factors, const FittingGradients<Real> &out,
                      std::int64_t first, std::int64_t last);

// Gradients of <directions, dx>, where dx is what fitting_backward writes.
template <typename Real>
void fitting_double_backward(const FittingNet<Real> &net, const Real *factors, const Real *directions,
                             const FittingGradients<Real> &out, std::int64_t first, std::int64_t last);

}  // namespace pwmlff
