// A net whose weights are laid out once and used in many calls.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <utility>
#include <vector>

#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// A net packed for the products, with the activation it uses and parameters of its own.
template <typename Real>
struct PackedNet {
  Buffer<Real> parameters;  // the layers point into them
  std::vector<Layer<Real>> layers;
  ActivationKind activation;

  explicit PackedNet(const NetView<Real> &view)
      : PackedNet(view, {view.parameters, view.parameters + net_parameter_count(view.n_in, view.widths)}) {}

  // A net of the shape of another.
  PackedNet(const NetView<Real> &shape, Buffer<Real> own) : parameters(std::move(own)), activation(shape.activation) {
    pack(NetView<Real>{parameters.data(), shape.n_in, shape.widths, shape.activation}, layers);
  }

  // Moved only: the layers of a copy would point into the original.
  PackedNet(PackedNet &&) = default;

  template <int Order>
  void forward(Net<Real> &net, const Real *x, const Real *x1, std::int64_t n) const {
    with_activation(activation, [&](auto kind) { net.template forward<decltype(kind), Order>(x, x1, n); });
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
