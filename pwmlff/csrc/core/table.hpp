// An embedding net as a table: one polynomial per interval of its input and per feature, see models/dp_compressed.py.
#pragma once

#include <cstdint>

namespace pwmlff {

// Outer intervals are this many times as wide as inner ones.
constexpr double kOuterWidth = 10.0;

template <typename Real>
struct TableView {
  const Real *coefficients;  // [inner + outer, terms, features], lowest power first
  std::int64_t terms, n_features;
  double lower, dx;           // first node, width of an inner interval
  std::int64_t inner, outer;  // numbers of intervals
};

// How many pairs lay beyond the inner intervals of their table, and how many of these beyond all intervals.
struct TableOverflows {
  std::int64_t unseen = 0, beyond = 0;
};

}  // namespace pwmlff
