// A NEP potential as it is stored. Letters: T types, nR = n_max_radial + 1, kR = basis_size_radial + 1, nA and kA
// likewise, L = l_max, X invariants beyond q_l that are switched on, D = nR + nA (L + X), H neurons. The arrays, where
// Real is float64 or float32, the same for all:
//
//   cutoff           float64 [T, 2]         Å, radial and angular; that of a pair is the mean of its types'
//   l_max            int64 []               L, 0..8
//   extras           int64 [6]              1 where the invariant is on: 222, 1111, 112, 123, 233, 134
//   radial           Real [T, T, nR, kR]    c_nk by central and neighbour type
//   angular          Real [T, T, nA, kA]    likewise
//   net              Real [T, Q]            by central type w0 [H, D], b0 [H], w1 [H] and b1 [], Q = H (D + 2) + 1, of
//                                           E = w1 . tanh(w0 (scaler * q) - b0) - b1
//   scaler           Real [D]
//   double_geometry  int64 []               1: distances and sums over neighbours are float64, 0: of type Real
//
// or, in the place of `radial` and `angular`, tables of the functions g_n, with 4 or 6 terms in both
//
//   radial.table     Real [T, T, intervals, terms, nR]  polynomials in the distance from the begin of the interval,
//                                           lowest power first; intervals divide the way from 0 to a pair's cutoff
//   angular.table    Real [T, T, intervals, terms, nA]  likewise
//
// The descriptor q holds the radial q_n, then for each l = 1..L and each extra that is on, in the order above, q_nl
// over all n.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "nep/invariants.hpp"
#include "stored_model.hpp"

namespace pwmlff::nep {

template <typename Real>
struct Model;

// Points into the arrays of the stored model.
struct Description {
  std::int64_t n_types, n_descriptors, n_neurons;
  int l_max;
  std::array<bool, kExtras> extras;
  bool has_double_geometry;
  bool has_tables;
  Array cutoff, net, scaler;
  Array radial, angular;  // coefficients or tables

  // Throws std::runtime_error where an array is missing, or where arrays do not fit each other.
  explicit Description(const StoredModel &model);

  // What the kernels work on, see model.hpp.
  template <typename Real>
  Model<Real> to_model() const;

  DType dtype() const { return net.dtype; }
  std::int64_t n_functions(const Array &functions) const;  // of one of the two
  double reach() const;                                    // Å, the longest cutoff

 private:
  Array functions(const StoredModel &model, const std::string &name) const;
};

}  // namespace pwmlff::nep
