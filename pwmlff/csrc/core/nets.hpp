// Description of a residual net, shared by the operations that evaluate one.
//
// Layer 1: y = t * phi(W x + b); layer l: the same + x (equal widths), or + (x, x) (doubled width), or nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace pwmlff {

enum class ActivationKind { tanh = 0, sigmoid = 1 };

// Parameters lie one layer after another: weight [n_out, n_in], bias [n_out], scale t [n_out].
template <typename Real>
struct NetView {
  const Real *parameters;
  std::int64_t n_in;
  std::vector<std::int64_t> widths;
  ActivationKind activation;
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
