// Embedding features of a chunk by tables: G and dG/ds are made in registers, in both passes anew, and never stored.
//
// With t the distance from the node before the input, and b how far the input lies beyond the table,
//
//   G  = sum_k c_k t^(k-1) (t + k b)        G' = sum_k c_k k t^(k-1)
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include "dp/chunk.hpp"
#include "dp/model.hpp"
#include "evaluator.hpp"
#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// A table with its rows padded to whole vectors.
template <typename Real>
struct PackedTable {
  Buffer<Real> coefficients;  // [intervals, terms, stride]
  double lower, dx;
  std::int64_t n_fine, n_coarse;

  PackedTable(const dp::TableView<Real> &view, std::int64_t stride)
      : coefficients((view.n_fine + view.n_coarse) * view.terms * stride),
        lower(view.lower),
        dx(view.dx),
        n_fine(view.n_fine),
        n_coarse(view.n_coarse) {
    for (std::int64_t row = 0; row < (n_fine + n_coarse) * view.terms; ++row)
      std::copy(view.coefficients + row * view.n_features, view.coefficients + (row + 1) * view.n_features,
                coefficients.data() + row * stride);
  }

  double last_fine() const { return lower + dx * n_fine; }
  double last() const { return lower + dx * (n_fine + dp::kCoarseWidth * n_coarse); }
};

template <typename Real, typename Wide, int Terms>
class TableFeatures {
 public:
  // Buffers of one thread, by pair.
  struct Workspace {
    Buffer<std::int32_t> interval;
    Buffer<Real> t, beyond;
  };

  explicit TableFeatures(const dp::Model<Real> &model)
      : n_types_(model.n_types),
        n_features_(model.tables.front().n_features),
        stride_(padded<Real>(n_features_)),
        has_table_per_pair_(model.has_net_per_pair) {
    for (const dp::TableView<Real> &table : model.tables) tables_.emplace_back(table, stride_);
  }

  std::int64_t n_features() const { return n_features_; }

  void prepare(const Pairs &, const std::vector<Environment> &, std::int64_t, std::int64_t, Workspace &) const {}

  // Adds to sums [atoms, 4, stride].
  void sum(std::int64_t type, Chunk<Real, Wide> &chunk, Workspace &work, Wide *sums, std::int64_t,
           Overflows &overflows) const {
    provide(work.interval, chunk.n_pairs());
    provide(work.t, chunk.n_pairs());
    provide(work.beyond, chunk.n_pairs());
    for (std::int64_t kind = 0; kind < n_types_; ++kind) {
      const PackedTable<Real> &table = table_of(type, kind);
      const std::int64_t begin = chunk.kind_start[kind], end = chunk.kind_start[kind + 1];
      look_up(table, chunk.input.data(), work, begin, end, overflows);
      std::int64_t p = begin;
      for (; p + 2 <= end; p += 2)
        if (chunk.slot[p] == chunk.slot[p + 1]) {
          add<2>(table, chunk, work, p, sums + chunk.slot[p] * 4 * stride_);
        } else {
          add<1>(table, chunk, work, p, sums + chunk.slot[p] * 4 * stride_);
          add<1>(table, chunk, work, p + 1, sums + chunk.slot[p + 1] * 4 * stride_);
        }
      if (p < end) add<1>(table, chunk, work, p, sums + chunk.slot[p] * 4 * stride_);
    }
  }

  // Fills chunk.by_row and chunk.by_input from dE/dA [atoms, 4, stride].
  void differentiate(std::int64_t type, Chunk<Real, Wide> &chunk, Workspace &work, const Real *sums_gradient,
                     std::int64_t) const {
    for (std::int64_t kind = 0; kind < n_types_; ++kind) {
      const PackedTable<Real> &table = table_of(type, kind);
      for (std::int64_t p = chunk.kind_start[kind]; p < chunk.kind_start[kind + 1]; ++p)
        project_pair(table, chunk, work, p, sums_gradient + chunk.slot[p] * 4 * stride_);
    }
  }

 private:
  // Vectors of as many numbers as a register holds of the wider type.
  static constexpr std::int64_t lanes = kLanes<Wide>;
  typedef Wide WideVector __attribute__((vector_size(lanes * sizeof(Wide)), aligned(sizeof(Wide)), may_alias));
  typedef Real RealVector __attribute__((vector_size(lanes * sizeof(Real)), aligned(sizeof(Real)), may_alias));
  // sums of Real alone fill a register of their own
  static constexpr std::int64_t real_lanes = kLanes<Real>;
  typedef typename VectorOf<Real>::type FullVector;

  const PackedTable<Real> &table_of(std::int64_t type, std::int64_t kind) const {
    return tables_[has_table_per_pair_ ? type * n_types_ + kind : kind];
  }

  static void look_up(const PackedTable<Real> &table, const double *input, Workspace &work, std::int64_t begin,
                      std::int64_t end, Overflows &overflows) {
    const double lower = table.lower, last = table.last(), nearest_known = table.last_fine(), inverse = 1.0 / table.dx,
                 dx = table.dx, n_fine = static_cast<double>(table.n_fine),
                 largest = static_cast<double>(table.n_fine + table.n_coarse - 1);
    std::int32_t *__restrict interval = work.interval.data();
    Real *__restrict t = work.t.data(), *__restrict beyond = work.beyond.data();
    std::int64_t nearer = 0, outside = 0;
#pragma omp simd reduction(+ : nearer, outside)
    for (std::int64_t p = begin; p < end; ++p) {
      const double x = input[p];
      double inside = x < lower ? lower : x;
      inside = inside > last ? last : inside;
      const double steps = (inside - lower) * inverse;
      double l = std::floor(steps < n_fine ? steps : n_fine + (steps - n_fine) * (1.0 / dp::kCoarseWidth));
      l = l > largest ? largest : l;
      l = l >= 0.0 ? l : 0.0;  // NaN ends here; it stays NaN in t
      const double node = lower + dx * (l < n_fine ? l : n_fine + dp::kCoarseWidth * (l - n_fine));
      interval[p] = static_cast<std::int32_t>(l);
      t[p] = static_cast<Real>(inside - node);
      beyond[p] = static_cast<Real>(x - inside);
      nearer += x > nearest_known;
      outside += x > last;
    }
    overflows.nearer += nearer;
    overflows.beyond += outside;
  }

  const Real *place(const PackedTable<Real> &table, const Workspace &work, std::int64_t p) const {
    return table.coefficients.data() + work.interval[p] * (Terms * stride_);
  }

  static void weigh(const Workspace &work, std::int64_t p, Real *values) {
    const Real t = work.t[p], beyond = work.beyond[p];
    Real power = 1;
    for (int k = 1; k < Terms; ++k) {
      values[k] = power * (t + Real(k) * beyond);
      power *= t;
    }
  }

  // sums[c, m] += sum_n row_n[c] G_m(n) for N pairs of one atom
  template <int N>
  void add(const PackedTable<Real> &table, const Chunk<Real, Wide> &chunk, const Workspace &work, std::int64_t p,
           Wide *sums) const {
    Real weights[N][Terms];
    const Real *c[N];
    Wide row[N][4];
    for (int n = 0; n < N; ++n) {
      c[n] = place(table, work, p + n);
      weigh(work, p + n, weights[n]);
      for (int q = 0; q < 4; ++q) row[n][q] = chunk.row[q][p + n];
    }
    for (std::int64_t m = 0; m < stride_; m += lanes) {
      WideVector sum[4];
      for (int q = 0; q < 4; ++q) sum[q] = *reinterpret_cast<const WideVector *>(sums + q * stride_ + m);
      for (int n = 0; n < N; ++n) {
        RealVector g = *reinterpret_cast<const RealVector *>(c[n] + m);
        for (int k = 1; k < Terms; ++k)
          g += weights[n][k] * *reinterpret_cast<const RealVector *>(c[n] + k * stride_ + m);
        const WideVector wide = __builtin_convertvector(g, WideVector);
        for (int q = 0; q < 4; ++q) sum[q] += row[n][q] * wide;
      }
      for (int q = 0; q < 4; ++q) *reinterpret_cast<WideVector *>(sums + q * stride_ + m) = sum[q];
    }
  }

  // dE/drow[c] = sum_m u[c, m] G_m, dE/dinput = sum_m (sum_c row[c] u[c, m]) G'_m
  void project_pair(const PackedTable<Real> &table, Chunk<Real, Wide> &chunk, const Workspace &work, std::int64_t p,
                    const Real *u) const {
    const Real *c = place(table, work, p);
    const Real t = work.t[p];
    Real values[Terms], slopes[Terms];
    weigh(work, p, values);
    Real power = 1;
    for (int k = 1; k < Terms; ++k) {
      slopes[k] = Real(k) * power;
      power *= t;
    }
    Real row[4];
    for (int q = 0; q < 4; ++q) row[q] = static_cast<Real>(chunk.row[q][p]);
    FullVector by_row[4] = {}, by_input = {};
    for (std::int64_t m = 0; m < stride_; m += real_lanes) {
      FullVector g = *reinterpret_cast<const FullVector *>(c + m);
      FullVector slope = {};
      for (int k = 1; k < Terms; ++k) {
        const FullVector term = *reinterpret_cast<const FullVector *>(c + k * stride_ + m);
        g += values[k] * term;
        slope += slopes[k] * term;
      }
      FullVector factor = {};
      for (int q = 0; q < 4; ++q) {
        const FullVector gradient = *reinterpret_cast<const FullVector *>(u + q * stride_ + m);
        by_row[q] += gradient * g;
        factor += row[q] * gradient;
      }
      by_input += factor * slope;
    }
    for (int q = 0; q < 4; ++q) chunk.by_row[q][p] = total<Real>(by_row[q]);
    chunk.by_input[p] = total<Real>(by_input);
  }

  std::int64_t n_types_, n_features_, stride_;
  bool has_table_per_pair_;
  std::vector<PackedTable<Real>> tables_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
