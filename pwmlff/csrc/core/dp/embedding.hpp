// The heart of a Deep Potential: an embedding net of one scalar per pair, contracted with the environment rows.
//
//   A[n, c, m] = sum_{e in pairs of n} R[e, c] G_m(s_e)
//
// G is a net of nets.hpp with one input. Neither G nor any other array of E x M numbers is ever stored: pairs are
// worked off in blocks that stay in the cache, and derivatives compute the net again.
//
// Letters: N atoms, E pairs sorted by atom (CSR `start`), M features, P parameters; the four rows c.
#pragma once

#include <cstdint>

#include "nets.hpp"

namespace pwmlff::dp {

template <typename Real>
struct EmbeddingPairs {
  const Real *s;              // [E]
  const Real *rows;           // [E, 4]
  const std::int64_t *start;  // [N + 1]
};

// A of atoms.
template <typename Real>
struct EmbeddingSums {
  NetView<Real> net;
  EmbeddingPairs<Real> pairs;
  Real *sums;  // [N, 4, M]
};

// What a derivative writes may be null, where it is not wanted. Arrays over pairs and atoms are overwritten for the
// atoms asked for, parameter gradients are added to.

// Gradients of <sums_gradient, A>.
template <typename Real>
struct EmbeddingBackward {
  NetView<Real> net;
  EmbeddingPairs<Real> pairs;
  const Real *sums_gradient;  // [N, 4, M]
  Real *s;                    // [E]
  Real *rows;                 // [E, 4]
  Real *parameters;           // [P]
};

// Gradients of <s_direction, ds> + <rows_direction, dR>, where ds and dR are what EmbeddingBackward writes.
template <typename Real>
struct EmbeddingDoubleBackward {
  NetView<Real> net;
  EmbeddingPairs<Real> pairs;
  const Real *sums_gradient;   // [N, 4, M]
  const Real *s_direction;     // [E]
  const Real *rows_direction;  // [E, 4]
  Real *sums;                  // [N, 4, M], by sums_gradient
  Real *s;                     // [E]
  Real *rows;                  // [E, 4]
  Real *parameters;            // [P]
};

}  // namespace pwmlff::dp
