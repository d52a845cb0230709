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

// Energies of atoms.
template <typename Real>
struct FittingEnergies {
  FittingNet<Real> net;
  Real *energies;  // [n]
};

// What a derivative writes may be null, where it is not wanted. Parameter gradients are added to, the rest overwritten.

// Gradients of sum_i factors_i E_i.
template <typename Real>
struct FittingBackward {
  FittingNet<Real> net;
  const Real *factors;  // [n]
  Real *inputs;         // [n, D]
  Real *parameters;     // [P]
};

// Gradients of <directions, dx>, where dx is what FittingBackward writes to `inputs`.
template <typename Real>
struct FittingDoubleBackward {
  FittingNet<Real> net;
  const Real *factors;     // [n]
  const Real *directions;  // [n, D]
  Real *by_factors;        // [n]
  Real *inputs;            // [n, D]
  Real *parameters;        // [P]
};

}  // namespace pwmlff
