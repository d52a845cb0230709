// The environment matrix of a Deep Potential for training: rows and net inputs of pairs, with their first derivative by
// the pair vectors as a linear map, that map transposed, and its own derivative.
//
//   s = switch(r) / r,  row = s (1, x/r, y/r, z/r) / (scale n),  input = (s - mean) / scale_0
//
// mean and scale are those of the central atom's type. Results stand in the order of `order`, which names each pair at
// most once. All arithmetic is in double.
#pragma once

#include <cstdint>

namespace pwmlff::dp {

struct EnvironmentPairs {
  const double *vectors;       // [E, 3]
  const std::int64_t *order;   // [n] pairs, as places in vectors and types
  const std::int64_t *types;   // [E] of the central atoms
  const double *mean, *scale;  // [T], [T, 4]
  double inner, outer;         // of the switch
  double n_neighbors;
};

// The input and the row of each pair; null where not wanted.
template <typename Real>
struct EnvironmentValues {
  Real *input;  // [n]
  Real *rows;   // [n, 4]
};

// Each of these works on places of the order.

template <typename Real>
struct EnvironmentMatrix {
  EnvironmentPairs pairs;
  EnvironmentValues<Real> out;
};

// Gradients by the vectors, from those by input and rows.
template <typename Real>
struct EnvironmentGradient {
  EnvironmentPairs pairs;
  EnvironmentValues<const Real> by;
  double *by_vectors;  // [E, 3]
};

// With g(vectors, by) what EnvironmentGradient writes, and directions d: the gradients of sum d g by `by` and vectors.
template <typename Real>
struct EnvironmentDoubleGradient {
  EnvironmentPairs pairs;
  EnvironmentValues<const Real> by;
  const double *directions;  // [E, 3]
  EnvironmentValues<Real> out;
  double *by_vectors;  // [E, 3], null where not wanted
};

}  // namespace pwmlff::dp
