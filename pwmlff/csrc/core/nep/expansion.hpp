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

template <typename Real, typename Wide>
class Expansion {
 public:
  Expansion(const nep::Model<Real> &model, nep::Kind kind)
      : n_functions_(model.functions[kind].n_functions),
        n_basis_(model.functions[kind].n_basis),
        n_types_(model.n_types),
        stride_(padded_few(n_functions_)),
        basis_stride_(padded_few(n_basis_)),
        by_basis_(n_types_ * n_types_ * n_basis_ * stride_),
        by_function_(n_types_ * n_types_ * n_functions_ * basis_stride_) {
    Wide *by_basis = by_basis_.data();
    Real *by_function = by_function_.data();
    const Real *from = model.functions[kind].coefficients, *end = from + n_types_ * n_types_ * n_functions_ * n_basis_;
    for (; from < end; by_basis += n_basis_ * stride_)
      for (std::int64_t n = 0; n < n_functions_; ++n, from += n_basis_, by_function += basis_stride_) {
        double constant = from[0];
        for (std::int64_t k = 1; k < n_basis_; ++k) {
          constant += 0.5 * from[k];
          by_function[k] = Real(0.5) * from[k];
          by_basis[k * stride_ + n] = by_function[k];
        }
        by_function[0] = static_cast<Real>(constant);
        by_basis[n] = static_cast<Wide>(constant);
      }
  }

  std::int64_t n_functions() const { return n_functions_; }
  std::int64_t n_basis() const { return n_basis_; }
  std::int64_t stride() const { return stride_; }  // functions padded
  std::int64_t basis_stride() const { return basis_stride_; }

  // C_nk as [n_basis, stride] for sums over k and as [n_functions, basis_stride] for sums over n; the padding is 0
  const Wide *by_basis(std::int64_t central, std::int64_t neighbor) const {
    return by_basis_.data() + (central * n_types_ + neighbor) * n_basis_ * stride_;
  }
  const Real *by_function(std::int64_t central, std::int64_t neighbor) const {
    return by_function_.data() + (central * n_types_ + neighbor) * n_functions_ * basis_stride_;
  }

 private:
  std::int64_t n_functions_, n_basis_, n_types_, stride_, basis_stride_;
  Buffer<Wide> by_basis_;
  Buffer<Real> by_function_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
