// The radial symmetry functions of an atom, and the derivatives of the energy through them.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bp/distance_functions.hpp"
#include "bp/neighborhood.hpp"
#include "bp/plan.hpp"
#include "buffer.hpp"
#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// What an atom leaves for the way back.
template <typename Real>
struct RadialRows {
  Buffer<Real> values, slopes;      // of neighbours of one type after another [n_functions, padded_count]
  std::vector<std::int64_t> first;  // [T]
  Buffer<Real> cutoffs;
};

template <typename Real, typename Wide>
class RadialPart {
 public:
  RadialPart(const bp::CutoffFunction &cutoff, const std::vector<bp::RadialPlan> &plans) {
    for (const bp::RadialPlan &plan : plans) {
      functions_.emplace_back(cutoff, plan.functions);
      targets_.push_back(plan.targets);
    }
  }

  // Adds to G.
  void sum(const Neighborhood<Real, Wide> &near, RadialRows<Real> &rows, Wide *g) const {
    rows.first.assign(functions_.size(), 0);
    std::int64_t next = 0;
    for (std::size_t type = 0; type < functions_.size(); ++type) {
      const std::int64_t n = near.padded_count(type), n_functions = functions_[type].count();
      if (n == 0 || n_functions == 0) continue;
      rows.first[type] = next;
      for (Buffer<Real> *buffer : {&rows.values, &rows.slopes})
        if (static_cast<std::int64_t>(buffer->size()) < next + n * n_functions) buffer->resize(next + n * n_functions);
      Real *values = rows.values.data() + next;
      functions_[type].evaluate(near.distance.data() + near.first(type), n, n, values, rows.slopes.data() + next,
                                rows.cutoffs);
      for (std::int64_t f = 0; f < n_functions; ++f) {
        Wide sum = 0;
        const Real *__restrict value = values + f * n;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t p = 0; p < n; ++p) sum += value[p];
        g[targets_[type][f].input] += targets_[type][f].weight * sum;
      }
      next += n * n_functions;
    }
  }

  // Adds to the gradients of the atom's pairs, from dE/dG.
  void differentiate(const Neighborhood<Real, Wide> &near, const RadialRows<Real> &rows, const Real *by_g,
                     Buffer<Real> &by_distance, double *gradients) const {
    for (std::size_t type = 0; type < functions_.size(); ++type) {
      const std::int64_t n = near.padded_count(type), n_functions = functions_[type].count();
      if (n == 0 || n_functions == 0) continue;
      by_distance.assign(n, Real(0));
      Real *__restrict to = by_distance.data();
      for (std::int64_t f = 0; f < n_functions; ++f) {
        const Real factor = by_g[targets_[type][f].input] * static_cast<Real>(targets_[type][f].weight);
        const Real *__restrict slope = rows.slopes.data() + rows.first[type] + f * n;
#pragma omp simd
        for (std::int64_t p = 0; p < n; ++p) to[p] += factor * slope[p];
      }
      const std::int64_t first = near.first(type);
      for (std::int64_t p = 0; p < near.counts[type]; ++p) {
        double *gradient = gradients + 3 * near.place[first + p];
        for (int c = 0; c < 3; ++c) gradient[c] += static_cast<double>(to[p] * near.unit[c][first + p]);
      }
    }
  }

  // Calls visit(pair, input, derivative by distance): the derivatives of all G by the distance of each neighbour.
  template <typename Visit>
  void for_derivatives(const Neighborhood<Real, Wide> &near, const RadialRows<Real> &rows, Visit visit) const {
    for (std::size_t type = 0; type < functions_.size(); ++type) {
      const std::int64_t n = near.padded_count(type);
      for (std::int64_t f = 0; n > 0 && f < functions_[type].count(); ++f) {
        const Real weight = targets_[type][f].weight, *slope = rows.slopes.data() + rows.first[type] + f * n;
        for (std::int64_t p = 0; p < near.counts[type]; ++p)
          visit(near.first(type) + p, targets_[type][f].input, weight * slope[p]);
      }
    }
  }

 private:
  std::vector<DistanceFunctions<Real>> functions_;  // by neighbour type
  std::vector<std::vector<bp::Target>> targets_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
