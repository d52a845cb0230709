// The radial descriptors of the atoms of a chunk and their changes along directions of the pair vectors; on the way
// back the derivatives by the coefficients.
//
// q_n = sum_k C_nk B_k with the sums B_k = sum_j f_c T_k over the neighbours of a type, and a change of q_n comes from
// one of B_k. So C_nk gains dS/dq_n B_k + dS/dq'_n B'_k, of a sum S of both.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nep/basis_functions.hpp"
#include "nep/expansion.hpp"
#include "nep/neighborhood.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real>
class RadialTangents {
 public:
  void begin(const Expansion<Real, double> &expansion, std::int64_t n_directions) {
    expansion_ = &expansion;
    n_directions_ = n_directions;
    runs_.clear();
    run_start_.assign(1, 0);
  }

  // Adds an atom whose pairs' directions are `directions` [n_directions, 3] at a distance of `direction_size`; q [1 +
  // n_directions, size] gets its descriptors and their changes, and the room behind them is written to.
  void add_atom(std::int64_t central, const Neighborhood<double> &neighbors, const CutoffRadii &radii,
                const double *directions, std::int64_t direction_size, double *q, std::int64_t size) {
    const std::int64_t n_sets = 1 + n_directions_, n_basis = expansion_->n_basis(), stride = expansion_->stride();
    for (std::int64_t set = 0; set < n_sets; ++set) std::fill_n(q + set * size, stride, 0.0);
    for (std::int64_t type = 0; type < static_cast<std::int64_t>(neighbors.counts.size()); ++type) {
      if (neighbors.counts[type] == 0) continue;
      const std::int64_t run = static_cast<std::int64_t>(runs_.size());
      runs_.push_back(type);
      provide(sums_, (run + 1) * n_sets * n_basis);
      fill_geometry(type, neighbors, radii.inverse_radial[type], directions, direction_size);
      sum_basis(run);
      const double *c = expansion_->by_basis(central, type), *sums = sums_of(run);
      for (std::int64_t set = 0; set < n_sets; ++set)
        for (std::int64_t k = 0; k < n_basis; ++k)
          for (std::int64_t n = 0; n < stride; n += kFew) {
            double *to = q + set * size + n;
            const Vector term = sums[set * n_basis + k] * load<double, kFew>(c + k * stride + n);
            store<double, kFew>(to, load<double, kFew>(to) + term);
          }
    }
    run_start_.push_back(static_cast<std::int64_t>(runs_.size()));
  }

  // Adds to the derivatives by C, [T, n_basis, stride], from those by q, and those by the change of q along a
  // direction, which is null where there is none.
  void collect(std::int64_t slot, const double *by_q, const double *by_change, std::int64_t direction,
               double *by_c) const {
    const std::int64_t n_basis = expansion_->n_basis(), stride = expansion_->stride();
    for (std::int64_t run = run_start_[slot]; run < run_start_[slot + 1]; ++run) {
      const double *sums = sums_of(run), *changes = sums + (1 + direction) * n_basis;
      double *to = by_c + runs_[run] * n_basis * stride;
      for (std::int64_t k = 0; k < n_basis; ++k, to += stride)
        for (std::int64_t n = 0; n < stride; n += kFew) {
          Vector sum = load<double, kFew>(to + n) + sums[k] * load<double, kFew>(by_q + n);
          if (by_change) sum += changes[k] * load<double, kFew>(by_change + n);
          store<double, kFew>(to + n, sum);
        }
    }
  }

 private:
  using Vector = FewVector<double>;

  // B and B' of a run, the neighbours of one type of one atom, [1 + n_directions, n_basis].
  const double *sums_of(std::int64_t run) const {
    return sums_.data() + run * (1 + n_directions_) * expansion_->n_basis();
  }

  // w = (1 - r / r_c)^2 and its changes, padded by zeros.
  void fill_geometry(std::int64_t type, const Neighborhood<double> &neighbors, double inverse_radius,
                     const double *directions, std::int64_t direction_size) {
    const std::int64_t count = neighbors.counts[type], from = type * neighbors.capacity;
    size_ = padded_few(count);
    for (Buffer<double> *buffer : {&x_, &y_, &z_}) provide(*buffer, size_);
    provide(w_, (1 + n_directions_) * size_);
    const double *__restrict x = neighbors.x.data() + from, *__restrict y = neighbors.y.data() + from,
                             *__restrict z = neighbors.z.data() + from;
    double *__restrict w = w_.data(), *__restrict to_x = x_.data(), *__restrict to_y = y_.data(),
                       *__restrict to_z = z_.data();
#pragma omp simd
    for (std::int64_t p = 0; p < size_; ++p) {
      const double squared = x[p] * x[p] + y[p] * y[p] + z[p] * z[p], over = inverse_root(squared);
      const double inside = 1 - squared * over * inverse_radius, v = inside < 0 ? 0.0 : inside;
      const double slope = -2 * v * inverse_radius * over;
      w[p] = v * v;
      to_x[p] = slope * x[p];
      to_y[p] = slope * y[p];
      to_z[p] = slope * z[p];
    }
    std::fill(w + count, w + size_, 0.0);
    for (std::int64_t k = 0; k < n_directions_; ++k) {
      double *change = w + (1 + k) * size_;
      const double *of_atom = directions + k * direction_size;
      for (std::int64_t p = 0; p < count; ++p) {
        const double *d = of_atom + 3 * neighbors.place[from + p];
        change[p] = to_x[p] * d[0] + to_y[p] * d[1] + to_z[p] * d[2];
      }
      std::fill(change + count, change + size_, 0.0);
    }
  }

  void sum_basis(std::int64_t run) {
    const std::int64_t n_sets = 1 + n_directions_, n_basis = expansion_->n_basis();
    lanes_.assign(n_sets * n_basis * kFew, 0.0);
    for (std::int64_t p = 0; p < size_; p += kFew) {
      BasisFunctions<double, kFew> at(load<double, kFew>(w_.data() + p));
      for (std::int64_t k = 0; k < n_basis; ++k, at.advance()) {
        double *to = lanes_.data() + k * kFew;
        store<double, kFew>(to, load<double, kFew>(to) + at.value());
        if (n_directions_ == 0) continue;
        const Vector slope = at.slope();
        for (std::int64_t set = 1; set < n_sets; ++set) {
          double *along = to + set * n_basis * kFew;
          const Vector change = load<double, kFew>(w_.data() + set * size_ + p);
          store<double, kFew>(along, load<double, kFew>(along) + slope * change);
        }
      }
    }
    double *sums = sums_.data() + run * n_sets * n_basis;
    for (std::int64_t k = 0; k < n_sets * n_basis; ++k) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t lane = 0; lane < kFew; ++lane) sum += lanes_[k * kFew + lane];
      sums[k] = sum;
    }
  }

  const Expansion<Real, double> *expansion_ = nullptr;
  std::int64_t n_directions_ = 0, size_ = 0;
  std::vector<std::int64_t> runs_, run_start_;  // types; where those of an atom begin
  Buffer<double> sums_;
  Buffer<double> x_, y_, z_, w_;  // of a run: dw/dr times the unit vector; w and its changes [1 + n_directions, size]
  Buffer<double> lanes_;          // of a run, B and B' lane by lane
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
