// What an op is told of its net, beside the weights.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "nets.hpp"

namespace pwmlff {

struct NetOptions {
  std::vector<std::int64_t> widths;  // of the hidden layers
  std::int64_t activation;           // an ActivationKind

  void check(const char *op) const {
    TORCH_CHECK(!widths.empty(), op, " expects at least one layer");
    TORCH_CHECK(activation == 0 || activation == 1, op, ": unknown activation ", activation);
  }

  ActivationKind kind() const { return static_cast<ActivationKind>(activation); }
};

}  // namespace pwmlff
