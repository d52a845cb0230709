// The environment matrix of a Deep Potential for training: rows and net inputs of pairs, with their first derivative by
// the pair vectors as a linear map, that map transposed, and its own derivative.
//
//   s = switch(r) / r,  row = s (1, x/r, y/r, z/r) / (scale n),  input = (s - mean) / scale_0
//
// mean and scale are those of the central atom's type. Results stand in the order of `order`, which names each pair at
// most once. All arithmetic is in double.
#pragma once

#include <cstdint>

namespace pwmlff {

struct EnvironmentPairs {
  const double *vectors;       // [E, 3]
  const std::int64_t *order;   // [n] pairs, as places in vectors and types
  const std::int64_t *types;   // [E] of the central atoms
  const double *mean, *scale;  // [T], [T, 4]
  double inner, outer;         // of the switch
  double n_neighbors;
};

// A number per pair for the input and four for the row; null where not wanted.
template <typename Real>
struct EnvironmentValues {
  Real *input;  // [n]
  Real *rows;   // [n, 4]
};

// Each works on the places first..last of the order.

template <typename Real>
void environment_matrix(const EnvironmentPairs &pairs, const EnvironmentValues<Real> &out, std::int64_t first,
                        std::int64_t last);

// Gradients by the vectors [E, 3], from those by input and rows.
template <typename Real>
void environment_gradient(const EnvironmentPairs &pairs, const EnvironmentValues<const Real> &by, double *by_vectors,
                          std::int64_t first, std::int64_t last);

// With g(vectors, by) the result of environment_gradient and directions d [E, 3]: the gradients of sum d g by `by`, and
// by the vectors [E, 3] unless that is null.
template <typename Real>
void environment_double_gradient(const EnvironmentPairs &pairs, const EnvironmentValues<const Real> &by,
                                 const double *directions, const EnvironmentValues<Real> &out, double *by_vectors,
                                 std::int64_t first, std::int64_t last);

}  // namespace pwmlff
