// A net whose weights are laid out once and used in many calls.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <utility>
#include <vector>

#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// A net packed for the products, with parameters of its own.
template <typename Real>
struct PackedNet {
  Buffer<Real> parameters;  // the layers point into them
  std::vector<Layer<Real>> layers;

  explicit PackedNet(const NetView<Real> &view)
      : PackedNet(view, {view.parameters, view.parameters + net_parameter_count(view.n_in, view.widths)}) {}

  // A net of the shape of another.
  PackedNet(const NetView<Real> &shape, Buffer<Real> own) : parameters(std::move(own)) {
    pack(NetView<Real>{parameters.data(), shape.n_in, shape.widths, shape.activations, shape.is_residual}, layers);
  }

  // Moved only: the layers of a copy would point into the original.
  PackedNet(PackedNet &&) = default;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
