// Description of a net, shared by the operations that evaluate one.
//
// Layer 1: y = t * phi(W x + b); layer l: the same, and in a residual net + x (equal widths) or + (x, x) (doubled
// width).
#pragma once

#include <cstdint>
#include <vector>

namespace pwmlff {

// Numbers of the stored models; reverse_sigmoid is 1 - sigmoid, decay e^-z, gaussian e^(-z^2 / 2), square z^2.
enum class ActivationKind {
  tanh = 0,
  sigmoid = 1,
  linear = 2,
  softplus = 3,
  relu = 4,
  gaussian = 5,
  cosine = 6,
  reverse_sigmoid = 7,
  decay = 8,
  square = 9,
};
constexpr std::int64_t kActivations = 10;

// Parameters lie one layer after another: weight [n_out, n_in], bias [n_out], scale t [n_out].
template <typename Real>
struct NetView {
  const Real *parameters;
  std::int64_t n_in;
  std::vector<std::int64_t> widths;
  std::vector<ActivationKind> activations;  // of each layer
  bool is_residual = true;
};

// Number of parameters of a net of these widths.
inline std::int64_t net_parameter_count(std::int64_t n_in, const std::vector<std::int64_t> &widths) {
  std::int64_t count = 0;
  for (const std::int64_t n_out : widths) {
    count += n_out * (n_in + 2);
    n_in = n_out;
  }
  return count;
}

}  // namespace pwmlff
