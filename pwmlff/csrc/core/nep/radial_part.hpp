// The radial descriptors q_n = sum_j g_n(r_j) of the atoms of a chunk, and the derivatives of the energy through them.
//
// Since c_nk is the same for all neighbours of a type, sums over these are taken of f_c T_k, and the energy depends on
// one of them through h(r) = f_c sum_k h_k T_k, h_k = sum_n dE/dq_n C_nk.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nep/basis_functions.hpp"
#include "nep/expansion.hpp"
#include "nep/neighborhood.hpp"
#include "nep/radial_runs.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real, typename Wide>
class RadialPart {
 public:
  explicit RadialPart(const nep::Model<Real> &model) : expansion_(model, nep::kRadial) {}

  // Buffers of one thread.
  struct Workspace {
    RadialRuns<Real> pairs;
    Buffer<Real> w, slope;              // (1 - r / r_c)^2, and its derivative by r divided by r
    Buffer<Real> cutoff, cutoff_slope;  // the latter by w
    Buffer<Wide> sums;                  // [n_basis, lanes]
    Buffer<Real> terms, slope_terms;    // [n_basis] h_k and k h_k
  };

  const Expansion<Real, Wide> &expansion() const { return expansion_; }
  std::int64_t n_functions() const { return expansion_.n_functions(); }

  // Adds an atom to the chunk; q [stride] gets its descriptors, q_n in the first n_functions.
  void sum(std::int64_t central, const Neighborhood<Wide> &neighbors, const CutoffRadii &radii, Workspace &work,
           Wide *q) const {
    const std::int64_t stride = expansion_.stride();
    std::fill(q, q + stride, Wide(0));
    for (std::int64_t type = 0; type < static_cast<std::int64_t>(neighbors.counts.size()); ++type) {
      if (neighbors.counts[type] == 0) continue;
      const RadialRun run = append(type, neighbors, radii.inverse_radial[type], work);
      sum_basis(run, work);
      const Wide *c = expansion_.by_basis(central, type);
      for (std::int64_t k = 0; k < expansion_.n_basis(); ++k, c += stride) {
        Wide total = 0;
#pragma omp simd reduction(+ : total)
        for (std::int64_t lane = 0; lane < kLanes<Real>; ++lane) total += work.sums[k * kLanes<Real> + lane];
        for (std::int64_t n = 0; n < stride; n += kFew)
          store<Wide, kFew>(q + n, load<Wide, kFew>(q + n) + total * load<Wide, kFew>(c + n));
      }
    }
    work.pairs.end_atom();
  }

  // Writes the gradients of all pairs of an atom of the chunk within the cutoffs, from dE/dq_n.
  void differentiate(std::int64_t central, std::int64_t slot, const Real *by_q, Workspace &work,
                     double *gradients) const {
    for (std::int64_t r = work.pairs.run_start[slot]; r < work.pairs.run_start[slot + 1]; ++r) {
      const RadialRun &run = work.pairs.runs[r];
      combine(expansion_.by_function(central, run.type), by_q, work);
      differentiate(run, work);
      work.pairs.scatter(run, gradients);
    }
  }

 private:
  using Vector = typename VectorOf<Real>::type;
  static constexpr std::int64_t kAtOnce = 4;  // vectors of pairs, to hide the latency of the recursions

  RadialRun append(std::int64_t type, const Neighborhood<Wide> &neighbors, Wide inverse_cutoff, Workspace &work) const {
    const std::int64_t begin = work.pairs.end(), n = padded<Real>(neighbors.counts[type]);
    for (Buffer<Real> *buffer : {&work.w, &work.slope, &work.cutoff, &work.cutoff_slope}) provide(*buffer, begin + n);
    Real *__restrict w = work.w.data() + begin, *__restrict slope = work.slope.data() + begin;
    const RadialRun run = work.pairs.append(type, neighbors, [=](std::int64_t p, Wide distance, Wide inverse) {
      const Wide inside = Wide(1) - distance * inverse_cutoff, v = inside < Wide(0) ? Wide(0) : inside;
      w[p] = static_cast<Real>(v * v);
      slope[p] = static_cast<Real>(Wide(-2) * v * inverse_cutoff * inverse);
    });
    for (std::int64_t p = run.count; p < n; ++p) w[p] = slope[p] = 0;
    return run;
  }

  // Sums of f_c T_k over the pairs of a run, lane by lane.
  void sum_basis(const RadialRun &run, Workspace &work) const {
    const std::int64_t end = run.first + padded<Real>(run.count);
    work.sums.assign(expansion_.n_basis() * kLanes<Real>, Wide(0));
    std::int64_t p = run.first;
    for (; p + kAtOnce * kLanes<Real> <= end; p += kAtOnce * kLanes<Real>) sum_basis<kAtOnce>(p, work);
    for (; p + 2 * kLanes<Real> <= end; p += 2 * kLanes<Real>) sum_basis<2>(p, work);
    for (; p < end; p += kLanes<Real>) sum_basis<1>(p, work);
  }

  template <int Vectors>
  void sum_basis(std::int64_t p, Workspace &work) const {
    Vector twice_x[Vectors], last[Vectors], next[Vectors];  // f_c T_(k - 1) and f_c T_k
    Vector sum = {}, linear_sum = {};
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const std::int64_t at = p + v * kLanes<Real>;
      const Vector w = load(work.w.data() + at);
      const CosineCutoff<Real, kLanes<Real>> cutoff(w);
      store(work.cutoff.data() + at, cutoff.value);
      store(work.cutoff_slope.data() + at, cutoff.slope);
      twice_x[v] = Real(4) * w - Real(2);
      last[v] = cutoff.value;
      next[v] = Real(0.5) * twice_x[v] * cutoff.value;
      sum += last[v];
      linear_sum += next[v];
    }
    Wide *sums = work.sums.data();
    add(sum, sums);
    const std::int64_t n_basis = expansion_.n_basis();
    if (n_basis > 1) add(linear_sum, sums + kLanes<Real>);
    for (std::int64_t k = 2; k < n_basis; ++k) {
      sum = Vector{};
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) {
        const Vector now = twice_x[v] * next[v] - last[v];
        last[v] = next[v];
        next[v] = now;
        sum += now;
      }
      add(sum, sums + k * kLanes<Real>);
    }
  }

  static void add(const Vector &vector, Wide *sums) {
    if constexpr (std::is_same_v<Real, Wide>) {
      store(sums, load(sums) + vector);
    } else {
      Real numbers[kLanes<Real>];
      store(numbers, vector);
#pragma omp simd
      for (std::int64_t lane = 0; lane < kLanes<Real>; ++lane) sums[lane] += numbers[lane];
    }
  }

  // h_k and k h_k
  void combine(const Real *c, const Real *by_q, Workspace &work) const {
    const std::int64_t stride = expansion_.basis_stride();
    provide(work.terms, stride);
    provide(work.slope_terms, stride);
    for (std::int64_t k = 0; k < stride; k += kFew) {
      FewVector<Real> sum = {};
      for (std::int64_t n = 0; n < expansion_.n_functions(); ++n) sum += by_q[n] * load<Real, kFew>(c + n * stride + k);
      store<Real, kFew>(work.terms.data() + k, sum);
    }
    for (std::int64_t k = 0; k < stride; ++k) work.slope_terms[k] = static_cast<Real>(k) * work.terms[k];
  }

  void differentiate(const RadialRun &run, Workspace &work) const {
    const std::int64_t end = run.first + padded<Real>(run.count);
    std::int64_t p = run.first;
    for (; p + kAtOnce * kLanes<Real> <= end; p += kAtOnce * kLanes<Real>) differentiate<kAtOnce>(p, work);
    for (; p + 2 * kLanes<Real> <= end; p += 2 * kLanes<Real>) differentiate<2>(p, work);
    for (; p < end; p += kLanes<Real>) differentiate<1>(p, work);
  }

  // Clenshaw's recursion for sum_k h_k T_k and its derivative by x, sum_k k h_k U_(k - 1).
  template <int Vectors>
  void differentiate(std::int64_t p, Workspace &work) const {
    Vector twice_x[Vectors], value[Vectors], older[Vectors], slope[Vectors], older_slope[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      twice_x[v] = Real(4) * load(work.w.data() + p + v * kLanes<Real>) - Real(2);
      value[v] = older[v] = slope[v] = older_slope[v] = Vector{};
    }
    const Real *terms = work.terms.data(), *slope_terms = work.slope_terms.data();
    for (std::int64_t k = expansion_.n_basis() - 1; k > 0; --k)
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) {
        const Vector now = twice_x[v] * value[v] + (terms[k] - older[v]);
        older[v] = value[v];
        value[v] = now;
        const Vector now_slope = twice_x[v] * slope[v] + (slope_terms[k] - older_slope[v]);
        older_slope[v] = slope[v];
        slope[v] = now_slope;
      }
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const std::int64_t at = p + v * kLanes<Real>;
      const Vector whole = Real(0.5) * twice_x[v] * value[v] + (terms[0] - older[v]);
      const Vector by_w =
          load(work.cutoff_slope.data() + at) * whole + Real(2) * load(work.cutoff.data() + at) * slope[v];
      const Vector along = by_w * load(work.slope.data() + at);
      store(work.pairs.x.data() + at, along * load(work.pairs.x.data() + at));
      store(work.pairs.y.data() + at, along * load(work.pairs.y.data() + at));
      store(work.pairs.z.data() + at, along * load(work.pairs.z.data() + at));
    }
  }

  Expansion<Real, Wide> expansion_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
