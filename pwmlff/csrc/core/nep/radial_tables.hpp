// The radial descriptors q_n = sum_j g_n(r_j) of the atoms of a chunk by tables, and the derivatives of the energy
// through them; what RadialPart is for coefficients.
//
// Lanes are functions n, pair after pair: a row of a table serves all of them.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nep/function_tables.hpp"
#include "nep/neighborhood.hpp"
#include "nep/radial_runs.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real, typename Wide, int Terms>
class RadialTables {
 public:
  explicit RadialTables(const nep::Model<Real> &model) : tables_(model, nep::kRadial) {}

  // Buffers of one thread.
  struct Workspace {
    RadialRuns<Real> pairs;
    Buffer<std::int32_t> interval;
    Buffer<Real> s;      // distance from its begin, in intervals
    Buffer<Real> slope;  // of s by r, divided by r; then of the energy
    Buffer<Real> by_q;   // [stride], with zeros behind: another atom's may not be numbers
  };

  std::int64_t n_functions() const { return tables_.n_functions(); }

  // See RadialPart.
  void sum(std::int64_t central, const Neighborhood<Wide> &neighbors, const CutoffRadii &radii, Workspace &work,
           Wide *q) const {
    const std::int64_t stride = tables_.stride();
    std::fill(q, q + stride, Wide(0));
    for (std::int64_t type = 0; type < static_cast<std::int64_t>(neighbors.counts.size()); ++type) {
      if (neighbors.counts[type] == 0) continue;
      const RadialRun run = append(type, neighbors, radii.inverse_radial[type], work);
      const Real *table = tables_.of_types(central, type);
      for (std::int64_t n = 0; n < stride; n += kFew) {
        FewVector<Wide> even = load<Wide, kFew>(q + n), odd = {};  // to hide the latency of additions
        std::int64_t p = run.first;
        for (const std::int64_t last = run.first + run.count - 1; p < last; p += 2) {
          even += value(table + n, work, p);
          odd += value(table + n, work, p + 1);
        }
        if (p < run.first + run.count) even += value(table + n, work, p);
        store<Wide, kFew>(q + n, even + odd);
      }
    }
    work.pairs.end_atom();
  }

  // See RadialPart.
  void differentiate(std::int64_t central, std::int64_t slot, const Real *by_q, Workspace &work,
                     double *gradients) const {
    work.by_q.assign(tables_.stride(), Real(0));
    std::copy_n(by_q, tables_.n_functions(), work.by_q.data());
    for (std::int64_t r = work.pairs.run_start[slot]; r < work.pairs.run_start[slot + 1]; ++r) {
      const RadialRun &run = work.pairs.runs[r];
      const Real *table = tables_.of_types(central, run.type);
      for (std::int64_t p = run.first; p < run.first + run.count; ++p) work.slope[p] *= by_s(table, work, p);
      const Real *__restrict slope = work.slope.data();
      Real *__restrict x = work.pairs.x.data(), *__restrict y = work.pairs.y.data(),
                       *__restrict z = work.pairs.z.data();
#pragma omp simd
      for (std::int64_t p = run.first; p < run.first + run.count; ++p) {
        x[p] *= slope[p];
        y[p] *= slope[p];
        z[p] *= slope[p];
      }
      work.pairs.scatter(run, gradients);
    }
  }

 private:
  RadialRun append(std::int64_t type, const Neighborhood<Wide> &neighbors, Wide inverse_cutoff, Workspace &work) const {
    const std::int64_t begin = work.pairs.end(), n = padded<Real>(neighbors.counts[type]);
    for (Buffer<Real> *buffer : {&work.s, &work.slope}) provide(*buffer, begin + n);
    provide(work.interval, begin + n);
    std::int32_t *__restrict interval = work.interval.data() + begin;
    Real *__restrict s = work.s.data() + begin, *__restrict slope = work.slope.data() + begin;
    const Wide last = static_cast<Wide>(tables_.n_intervals()), density = inverse_cutoff * last;
    return work.pairs.append(type, neighbors, [=](std::int64_t p, Wide distance, Wide inverse) {
      const Wide steps = distance * density, inside = steps < last ? steps : last;
      interval[p] = static_cast<std::int32_t>(inside);
      s[p] = static_cast<Real>(steps - static_cast<Wide>(interval[p]));
      slope[p] = static_cast<Real>(density * inverse);
    });
  }

  FewVector<Wide> value(const Real *table, const Workspace &work, std::int64_t p) const {
    return __builtin_convertvector(tables_.value(table + work.interval[p] * tables_.row_size(), work.s[p]),
                                   FewVector<Wide>);
  }

  // sum_n dE/dq_n dg_n/ds
  Real by_s(const Real *table, const Workspace &work, std::int64_t p) const {
    const Real *row = table + work.interval[p] * tables_.row_size();
    Real weights[Terms], power = 1;
    for (int term = 1; term < Terms; ++term, power *= work.s[p]) weights[term] = Real(term) * power;
    FewVector<Real> sum = {};
    for (std::int64_t n = 0; n < tables_.stride(); n += kFew)
      sum += load<Real, kFew>(work.by_q.data() + n) * tables_.slope(row + n, weights);
    return total<kFew>(sum);
  }

  // Halves are added until two numbers are left.
  template <std::int64_t lanes>
  static Real total(const typename VectorOf<Real, lanes>::type &vector) {
    if constexpr (lanes == 2) {
      return vector[0] + vector[1];
    } else {
      Real numbers[lanes];
      store<Real, lanes>(numbers, vector);
      return total<lanes / 2>(load<Real, lanes / 2>(numbers) + load<Real, lanes / 2>(numbers + lanes / 2));
    }
  }

  FunctionTables<Real, Terms> tables_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
