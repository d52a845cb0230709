// Coefficients of radial functions in the form in which they are used, g_n = f_c sum_k C_nk T_k(x):
//
//   C_n0 = c_n0 + sum_{k > 0} c_nk / 2,  C_nk = c_nk / 2
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nep/model.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Functions n of an atom lie in blocks of one vector, of as many numbers for float as for double: there are few.
constexpr std::int64_t kFew = kLanes<double>;

template <typename Real>
using FewVector = typename VectorOf<Real, kFew>::type;

constexpr std::int64_t padded_few(std::int64_t n) {
  return (n + kFew - 1) / kFew * kFew;
}

template <typename Wide>
class Expansion {
 public:
  template <typename Real>
  Expansion(const nep::Coefficients<Real> &c, std::int64_t n_types)
      : n_functions_(c.n_functions), n_basis_(c.n_basis), n_types_(n_types), stride_(padded_few(c.n_functions)) {
    values_.assign(n_types * n_types * n_basis_ * stride_, Wide(0));
    Wide *to = values_.data();
    for (std::int64_t pair = 0; pair < n_types * n_types; ++pair, to += n_basis_ * stride_)
      for (std::int64_t n = 0; n < n_functions_; ++n) {
        const Real *from = c.values + (pair * n_functions_ + n) * n_basis_;
        double constant = from[0];
        for (std::int64_t k = 1; k < n_basis_; ++k) {
          constant += 0.5 * from[k];
          to[k * stride_ + n] = static_cast<Wide>(0.5 * from[k]);
        }
        to[n] = static_cast<Wide>(constant);
      }
  }

  std::int64_t n_functions() const { return n_functions_; }
  std::int64_t n_basis() const { return n_basis_; }
  std::int64_t stride() const { return stride_; }  // functions padded

  // [n_basis, stride], zeros behind the functions
  const Wide *of_types(std::int64_t central, std::int64_t neighbor) const {
    return values_.data() + (central * n_types_ + neighbor) * n_basis_ * stride_;
  }

 private:
  std::int64_t n_functions_, n_basis_, n_types_, stride_;
  Buffer<Wide> values_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
