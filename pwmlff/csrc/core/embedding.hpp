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

namespace pwmlff {

template <typename Real>
struct EmbeddingPairs {
  const Real *s;              // [E]
  const Real *rows;           // [E, 4]
  const std::int64_t *start;  // [N + 1]
};

// What a derivative writes; a null pointer is not wanted. Arrays over pairs and atoms are overwritten for the atoms
// asked for, parameter gradients are added to.
template <typename Real>
struct EmbeddingGradients {
  Real *s = nullptr;           // [E]
  Real *rows = nullptr;        // [E, 4]
  Real *parameters = nullptr;  // [P]
  Real *sums = nullptr;        // [N, 4, M], gradient with respect to `sums_gradient` (second derivative only)
};

// A for the atoms first..last.
template <typename Real>
void embedding_contract(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, Real *sums, std::int64_t first,
                        std::int64_t last);

// Gradients of <sums_gradient, A>.
template <typename Real>
void embedding_backward(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, const Real *sums_gradient,
                        const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last);

// Gradients of <s_direction, ds> + <rows_direction, dR>, where ds and dR are what embedding_backward writes.
template <typename Real>
void embedding_double_backward(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, const Real *sums_gradient,
                               const Real *s_direction, const Real *rows_direction, const EmbeddingGradients<Real> &out,
                               std::int64_t first, std::int64_t last);

}  // namespace pwmlff
