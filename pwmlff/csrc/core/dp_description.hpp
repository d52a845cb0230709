// A Deep Potential as it is stored: arrays with their shapes, and the numbers that say what they mean. The names are
// those of DpModel in ops/reference.py.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dp.hpp"

namespace pwmlff {

// What says how the arrays are to be read.
struct DpNumbers {
  std::vector<std::int64_t> embedding_widths, fitting_widths;
  std::int64_t embedding_activation, fitting_activation;
  double inner, outer, n_neighbors, dx;
  std::int64_t n_axis;
  bool has_double_geometry;

  std::int64_t n_features() const { return embedding_widths.back(); }
};

struct ArrayView {
  const void *data;
  std::vector<std::int64_t> shape;

  template <typename Number>
  const Number *as() const {
    return static_cast<const Number *>(data);
  }
};

struct DpDescription : DpNumbers {
  ArrayView embedding, grids;  // nets [K, P] and [0, 3], or coefficients [intervals, terms, M] and [K, 3]
  ArrayView fitting;           // [T, Q]
  ArrayView mean, scale;       // [T], [T, 4]; with grids float64
  bool has_double_nets;        // embedding and fitting: float64, otherwise float32

  std::int64_t n_types() const { return mean.shape.at(0); }
  bool has_tables() const { return grids.shape.at(0) > 0; }
  std::int64_t n_nets() const { return (has_tables() ? grids : embedding).shape.at(0); }

  // Throws std::runtime_error where shapes do not fit each other; reads no numbers, which may lie on another device.
  void check_shapes() const;

  // Checks the shapes and the grids.
  std::unique_ptr<DpEvaluator> make_evaluator() const;
};

}  // namespace pwmlff
