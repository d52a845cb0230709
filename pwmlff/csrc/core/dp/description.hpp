// A Deep Potential as it is stored. The arrays, where Real is float64 or float32, the same for all:
//
//   switch           float64 [2]     inner and outer radius, Å
//   mean             float64 [T]     of s, 1/Å
//   scale            float64 [T, 4]  of the environment rows, 1/Å
//   n_neighbors      float64 []      divides the sums over neighbours
//   n_axis           int64 []        M2
//   double_geometry  int64 []        1: geometry and sums over neighbours are float64, 0: of type Real
//   fitting          Real [T, Q]     nets by central type, each followed by w [widths.back()] and c [1] of
//                                    E = w . y + c
//
// and either nets
//
//   embedding        Real [K, P]     by (central, neighbour) type or by neighbour type
//
// or tables in their place
//
//   tables           Real [I, terms, M]  polynomials of all tables one after another, terms 4 or 6
//   tables.grids     float64 [K, 3]      of each table the first node, n_fine and n_coarse
//   tables.dx        float64 []          width of a fine interval
//
// Every net has `<name>.widths` int64 [layers] and `<name>.activation` int64 [], 0 for tanh, 1 for the sigmoid.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nets.hpp"
#include "stored_model.hpp"

namespace pwmlff::dp {

// Intervals of one table.
struct Grid {
  double lower;
  std::int64_t n_fine, n_coarse;

  std::int64_t n_intervals() const { return n_fine + n_coarse; }
};

// Nets of one shape, one after another.
struct StoredNets {
  Array parameters;  // [K, P]
  std::vector<std::int64_t> widths;
  ActivationKind activation;
};

template <typename Real>
struct Model;

// Points into the arrays of the stored model.
struct Description {
  double inner, outer, n_neighbors;
  std::int64_t n_types, n_features, n_axis;
  bool has_double_geometry;
  Array mean, scale;
  StoredNets fitting;
  StoredNets embedding;  // where there are no tables
  Array tables;          // where there are
  std::vector<Grid> grids;
  double dx;

  // Throws std::runtime_error where an array is missing, or where arrays do not fit each other.
  explicit Description(const StoredModel &model);

  // What the kernels work on, see model.hpp.
  template <typename Real>
  Model<Real> to_model() const;

  DType dtype() const { return fitting.parameters.dtype; }
  double reach() const { return outer; }  // Å
  bool has_tables() const { return !grids.empty(); }
  std::int64_t n_nets() const {
    return has_tables() ? static_cast<std::int64_t>(grids.size()) : embedding.parameters.shape[0];
  }
  bool has_net_per_pair() const { return n_nets() != n_types; }

 private:
  void read_tables(const StoredModel &model);
};

}  // namespace pwmlff::dp
