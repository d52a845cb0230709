// An embedding net as a table: one polynomial per interval of its input and per feature, see models/dp/compressed.py.
#pragma once

#include <cstdint>

namespace pwmlff::dp {

// Coarse intervals are this many times as wide as fine ones, which they follow.
constexpr double kCoarseWidth = 10.0;

template <typename Real>
struct TableView {
  const Real *coefficients;  // [n_fine + n_coarse, terms, features], lowest power first
  std::int64_t terms, n_features;
  double lower, dx;  // first node, width of a fine interval
  std::int64_t n_fine, n_coarse;
};

}  // namespace pwmlff::dp
