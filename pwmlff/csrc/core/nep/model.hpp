// What NEP is, for its kernels: pair vectors in, atomic energies and derivatives by pair vector out.
//
//   f_k(r)  = (T_k(x) + 1) / 2 f_c(r), f_0 = f_c;  x = 2 (r / r_c - 1)^2 - 1,  f_c = (1 + cos(pi r / r_c)) / 2
//   g_n(r)  = sum_k c_nk f_k(r)                            c by types of both, for radial and angular functions apart
//   q_n     = sum_j g_n(r_j)                               radial descriptors
//   s_n,lm  = sum_j g_n(r_j) b_lm(r_j / |r_j|)             then q_nl of invariants.hpp, angular descriptors
//   E_i     = w1 . tanh(w0 (scaler * q) - b0) - b1         weights by type of i
//
// (Fan et al., Phys. Rev. B 104, 104309, 2021; J. Chem. Phys. 157, 114801, 2022.) Atoms are worked off in chunks of one
// type, and what a chunk needs stays in the cache. Energies are float64, the rest is of type Real; distances and sums
// over neighbours are float64 or of type Real.
//
// Letters: N atoms, E pairs sorted by atom (CSR `start`), T types, D descriptors, H neurons.
#pragma once

#include <array>
#include <cstdint>

#include "nep/invariants.hpp"

namespace pwmlff::nep {

enum Kind { kRadial, kAngular };
constexpr int kKinds = 2;

// The functions g_n of one kind by central and neighbour type: coefficients, or tables in their place. Those of the two
// that are not there are null.
template <typename Real>
struct Functions {
  std::int64_t n_functions;
  const Real *coefficients;  // c_nk [T, T, n_functions, n_basis]
  std::int64_t n_basis;
  // Polynomials in the distance from the begin of an interval, lowest power first, [T, T, n_intervals, n_terms,
  // n_functions]. The intervals divide the way from 0 to the cutoff of the pair.
  const Real *tables;
  std::int64_t n_intervals, n_terms;
};

// Points into the arrays it was read from, see description.hpp.
template <typename Real>
struct Model {
  std::int64_t n_types;
  int l_max;
  std::array<bool, kExtras> extras;
  const double *cutoff;                           // [T, 2] Å
  std::array<Functions<Real>, kKinds> functions;  // both are coefficients, or both tables of one order
  std::int64_t n_descriptors, n_neurons;          // D and H
  const Real *net;                                // [T, H (D + 2) + 1]
  const Real *scaler;                             // [D]
  bool has_double_geometry;

  // Å
  double pair_cutoff(Kind kind, std::int64_t central, std::int64_t neighbor) const {
    return 0.5 * (cutoff[kKinds * central + kind] + cutoff[kKinds * neighbor + kind]);
  }
};

}  // namespace pwmlff::nep
