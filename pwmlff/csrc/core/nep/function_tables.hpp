// The functions g_n as tables: polynomials in the number of intervals from 0 to a pair's distance, of which an interval
// begins at each whole number. A last row of zeros stands for all beyond the cutoff.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nep/expansion.hpp"
#include "nep/model.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real, int Terms>
class FunctionTables {
 public:
  using Vector = FewVector<Real>;

  FunctionTables(const nep::Model<Real> &model, nep::Kind kind)
      : n_functions_(model.functions[kind].n_functions),
        n_types_(model.n_types),
        n_intervals_(model.functions[kind].n_intervals),
        stride_(padded_few(n_functions_)),
        coefficients_(n_types_ * n_types_ * table_size(), Real(0)) {
    const Real *from = model.functions[kind].tables;
    for (std::int64_t central = 0; central < n_types_; ++central)
      for (std::int64_t neighbor = 0; neighbor < n_types_; ++neighbor) {
        const double width = model.pair_cutoff(kind, central, neighbor) / static_cast<double>(n_intervals_);
        Real *to = coefficients_.data() + (central * n_types_ + neighbor) * table_size();
        for (std::int64_t interval = 0; interval < n_intervals_; ++interval) {
          double power = 1;
          for (int term = 0; term < Terms; ++term, power *= width, from += n_functions_, to += stride_)
            for (std::int64_t n = 0; n < n_functions_; ++n) to[n] = static_cast<Real>(power * from[n]);
        }
      }
  }

  std::int64_t n_functions() const { return n_functions_; }
  std::int64_t stride() const { return stride_; }  // functions padded
  std::int64_t n_intervals() const { return n_intervals_; }

  // [n_intervals + 1, Terms, stride]
  const Real *of_types(std::int64_t central, std::int64_t neighbor) const {
    return coefficients_.data() + (central * n_types_ + neighbor) * table_size();
  }
  std::int64_t row_size() const { return Terms * stride_; }

  // Of a vector of functions at s intervals from the begin of that of the row.
  Vector value(const Real *row, Real s) const {
    Vector g = load<Real, kFew>(row + (Terms - 1) * stride_);
#pragma GCC unroll 8
    for (int term = Terms - 2; term >= 0; --term) g = g * s + load<Real, kFew>(row + term * stride_);
    return g;
  }
  // Derivative by s; weights holds term s^(term - 1).
  Vector slope(const Real *row, const Real (&weights)[Terms]) const {
    Vector slope = load<Real, kFew>(row + stride_);
#pragma GCC unroll 8
    for (int term = 2; term < Terms; ++term) slope += weights[term] * load<Real, kFew>(row + term * stride_);
    return slope;
  }
  void value_and_slope(const Real *row, Real s, Vector &g, Vector &slope) const {
    g = load<Real, kFew>(row + (Terms - 1) * stride_);
    slope = g;
    g = g * s + load<Real, kFew>(row + (Terms - 2) * stride_);
#pragma GCC unroll 8
    for (int term = Terms - 3; term >= 0; --term) {
      slope = slope * s + g;
      g = g * s + load<Real, kFew>(row + term * stride_);
    }
  }

 private:
  std::int64_t table_size() const { return (n_intervals_ + 1) * Terms * stride_; }

  std::int64_t n_functions_, n_types_, n_intervals_, stride_;
  Buffer<Real> coefficients_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
