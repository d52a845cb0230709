// A net whose weights are laid out once and used in many calls.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>
#include <vector>

#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real>
struct PackedNet {
  std::vector<Layer<Real>> layers;
  std::int64_t n_parameters;

  explicit PackedNet(const NetView<Real> &net) : n_parameters(net_parameter_count(net.n_in, net.widths)) {
    pack(net, layers);
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
