// The angular descriptors of the atoms of a chunk, and the derivatives of the energy through them.
//
// Sums over neighbours are products of matrices: s = b g with the harmonics b [lm, pairs] and the radial functions
// g [pairs, n], and on the way back dE/ds times g and g' (n by pairs), which harmonics.hpp contracts with b and its
// derivatives.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nep/angular_invariants.hpp"
#include "nep/basis_functions.hpp"
#include "nep/expansion.hpp"
#include "nep/harmonics.hpp"
#include "nep/neighborhood.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Buffers of one thread.
template <typename Real, typename Wide>
struct AngularWorkspace {
  std::vector<std::int64_t> pair_start;  // of atoms, and their end; padded to whole vectors
  std::vector<std::int64_t> pair_count;  // without padding
  Buffer<std::int32_t> place;            // counted from the atom's first pair
  Buffer<Real> x, y, z, inverse;         // unit vectors, and 1 / distance
  Buffer<Real> functions;                // of kFew pairs g_n and dg_n/dr, [n, 2, kFew]
  Buffer<Real> sums;                     // s of atoms

  // of one atom
  Buffer<std::int32_t> type;
  Buffer<Wide> unit[3], inverse_distance, w, slope;  // (1 - r / r_c)^2 and its derivative by r
  Buffer<Wide> basis, basis_slope;                   // f_c T_k and its derivative by r, [n_basis, pairs]
  Buffer<Wide> rows, slope_rows;                     // g and g' [pairs, stride]
  Buffer<Wide> harmonics, wide_sums;                 // b [lm, pairs], s as it is summed
  Buffer<Real> by_sums, by_harmonics;                // dE/ds, and that times g and g' [lm, 2, kFew]

  void clear() {
    pair_start.assign(1, 0);
    pair_count.clear();
  }
};

template <typename Real, typename Wide>
class AngularPart {
 public:
  using Workspace = AngularWorkspace<Real, Wide>;

  explicit AngularPart(const nep::Model<Real> &model)
      : expansion_(model.angular, model.n_types),
        n_harmonics_(nep::harmonics_up_to(model.l_max)),
        invariants_(model),
        wide_harmonics_(harmonic_functions<Wide>(model.l_max)),
        harmonics_(harmonic_functions<Real>(model.l_max)) {}

  // Adds an atom to the chunk; q gets its descriptors, and the room behind them is written to.
  void sum(std::int64_t central, const Neighborhood<Wide> &neighbors, const CutoffRadii &radii, Workspace &work,
           Real *q) const {
    const std::int64_t count = neighbors.n_angular, n = padded_few(count), begin = work.pair_start.back();
    const std::int64_t atom = static_cast<std::int64_t>(work.pair_count.size());
    work.pair_start.push_back(begin + n);
    work.pair_count.push_back(count);
    provide(work.sums, (atom + 1) * invariants_.sums_size());
    Real *sums = work.sums.data() + atom * invariants_.sums_size();
    if (count == 0) {
      std::fill(sums, sums + invariants_.sums_size(), Real(0));
    } else {
      place(neighbors, radii, n, work);
      fill_basis(n, work);
      fill_functions(central, count, n, work);
      fill_harmonics(n, work);
      keep(begin, n, work);
      provide(work.wide_sums, invariants_.sums_size());
      const std::int64_t stride = expansion_.stride();
      for (std::int64_t block = 0; block * kFew < stride; ++block)
        multiply<Wide, kFew>(n_harmonics_, kFew, count, work.harmonics.data(), n, 1, work.rows.data() + block * kFew,
                             stride, work.wide_sums.data() + block * n_harmonics_ * kFew, kFew, false);
      std::copy_n(work.wide_sums.data(), invariants_.sums_size(), sums);
    }
    invariants_.describe(sums, q);
  }

  // Adds to the gradients of the pairs of an atom of the chunk, from dE/dq.
  void differentiate(std::int64_t atom, const Real *by_q, Workspace &work, double *gradients) const {
    const std::int64_t begin = work.pair_start[atom], end = begin + work.pair_count[atom];
    if (begin == end) return;
    provide(work.by_sums, invariants_.sums_size());
    provide(work.by_harmonics, n_harmonics_ * 2 * kFew);
    invariants_.differentiate(work.sums.data() + atom * invariants_.sums_size(), by_q, work.by_sums.data());
    const std::int64_t n_functions = expansion_.n_functions();
    for (std::int64_t p = begin; p < end; p += kFew) {
      const Real *functions = work.functions.data() + p * 2 * n_functions;
      for (std::int64_t n = 0; n < n_functions; n += kFew)
        multiply<Real, kFew>(n_harmonics_, 2 * kFew, std::min(kFew, n_functions - n),
                             work.by_sums.data() + n * n_harmonics_, kFew, 1, functions + n * 2 * kFew, 2 * kFew,
                             work.by_harmonics.data(), 2 * kFew, n > 0);
      Real by_vector[3][kFew];
      harmonics_.differentiate({work.x.data() + p, work.y.data() + p, work.z.data() + p}, work.inverse.data() + p,
                               work.by_harmonics.data(), by_vector[0]);
      for (std::int64_t lane = 0; lane < std::min(kFew, end - p); ++lane)
        for (int c = 0; c < 3; ++c) gradients[3 * work.place[p + lane] + c] += static_cast<double>(by_vector[c][lane]);
    }
  }

 private:
  // Geometry of the atom's pairs, padded with copies of the last.
  void place(const Neighborhood<Wide> &neighbors, const CutoffRadii &radii, std::int64_t n, Workspace &work) const {
    for (Buffer<Wide> *buffer :
         {&work.unit[0], &work.unit[1], &work.unit[2], &work.inverse_distance, &work.w, &work.slope})
      provide(*buffer, n);
    provide(work.type, n);
    const std::int64_t begin = work.pair_start[work.pair_start.size() - 2];
    provide(work.place, begin + n);
    Wide *__restrict x = work.unit[0].data(), *__restrict y = work.unit[1].data(), *__restrict z = work.unit[2].data();
    Wide *__restrict inverse = work.inverse_distance.data(), *__restrict w = work.w.data(),
                     *__restrict slope = work.slope.data();
    for (std::int64_t p = 0; p < n; ++p) {
      const std::int64_t pair = std::min(p, neighbors.n_angular - 1), from = neighbors.angular[pair];
      x[p] = neighbors.x[from];
      y[p] = neighbors.y[from];
      z[p] = neighbors.z[from];
      work.place[begin + p] = neighbors.place[from];
      work.type[p] = static_cast<std::int32_t>(neighbors.types[neighbors.place[from]]);
      slope[p] = static_cast<Wide>(radii.inverse_angular[work.type[p]]);
    }
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) {
      const Wide squared = x[p] * x[p] + y[p] * y[p] + z[p] * z[p], over = inverse_root(squared);
      const Wide inside = Wide(1) - squared * over * slope[p], v = inside < Wide(0) ? Wide(0) : inside;
      x[p] *= over;
      y[p] *= over;
      z[p] *= over;
      inverse[p] = over;
      w[p] = v * v;
      slope[p] *= Wide(-2) * v;
    }
  }

  void fill_basis(std::int64_t n, Workspace &work) const {
    const std::int64_t n_basis = expansion_.n_basis();
    provide(work.basis, n_basis * n);
    provide(work.basis_slope, n_basis * n);
    for (std::int64_t p = 0; p < n; p += kFew) {
      const Vector w = load<Wide, kFew>(work.w.data() + p), by_distance = load<Wide, kFew>(work.slope.data() + p);
      const CosineCutoff<Wide, kFew> cutoff(w);
      const Vector twice_x = Wide(4) * w - Wide(2);
      const Vector slope = cutoff.slope * by_distance, twice_value = Wide(2) * cutoff.value * by_distance;
      Vector t = Vector{} + Wide(1), t_last = Wide(0.5) * twice_x;  // T_k and T_(k - 1); T_(-1) = T_1
      Vector u_last = Vector{}, u_older = Vector{} - Wide(1);       // U_(k - 1) and U_(k - 2)
      for (std::int64_t k = 0; k < n_basis; ++k) {
        store<Wide, kFew>(work.basis.data() + k * n + p, cutoff.value * t);
        store<Wide, kFew>(work.basis_slope.data() + k * n + p,
                          slope * t + twice_value * (static_cast<Wide>(k) * u_last));
        const Vector t_next = twice_x * t - t_last, u = twice_x * u_last - u_older;
        t_last = t;
        t = t_next;
        u_older = u_last;
        u_last = u;
      }
    }
  }

  // g and g'
  void fill_functions(std::int64_t central, std::int64_t count, std::int64_t n, Workspace &work) const {
    const std::int64_t stride = expansion_.stride(), n_basis = expansion_.n_basis();
    provide(work.rows, n * stride);
    provide(work.slope_rows, n * stride);
    for (std::int64_t p = 0; p < count; ++p) {
      const Wide *c = expansion_.by_basis(central, work.type[p]);
      for (std::int64_t block = 0; block < stride; block += kFew) {
        Vector g = {}, slope = {};
        for (std::int64_t k = 0; k < n_basis; ++k) {
          const Vector factor = load<Wide, kFew>(c + k * stride + block);
          g += work.basis[k * n + p] * factor;
          slope += work.basis_slope[k * n + p] * factor;
        }
        store<Wide, kFew>(work.rows.data() + p * stride + block, g);
        store<Wide, kFew>(work.slope_rows.data() + p * stride + block, slope);
      }
    }
  }

  void fill_harmonics(std::int64_t n, Workspace &work) const {
    provide(work.harmonics, n_harmonics_ * n);
    wide_harmonics_.write({work.unit[0].data(), work.unit[1].data(), work.unit[2].data()}, n, work.harmonics.data());
  }

  // What the way back needs of the pairs.
  void keep(std::int64_t begin, std::int64_t n, Workspace &work) const {
    const std::int64_t n_functions = expansion_.n_functions(), stride = expansion_.stride();
    for (Buffer<Real> *buffer : {&work.x, &work.y, &work.z, &work.inverse}) provide(*buffer, begin + n);
    std::copy_n(work.unit[0].data(), n, work.x.data() + begin);
    std::copy_n(work.unit[1].data(), n, work.y.data() + begin);
    std::copy_n(work.unit[2].data(), n, work.z.data() + begin);
    std::copy_n(work.inverse_distance.data(), n, work.inverse.data() + begin);
    provide(work.functions, (begin + n) * 2 * n_functions);
    Real *to = work.functions.data() + begin * 2 * n_functions;
    for (std::int64_t p0 = 0; p0 < n; p0 += kFew, to += 2 * kFew * n_functions)
      for (std::int64_t lane = 0; lane < kFew; ++lane) {
        const Wide *g = work.rows.data() + (p0 + lane) * stride, *slope = work.slope_rows.data() + (p0 + lane) * stride;
        for (std::int64_t k = 0; k < n_functions; ++k) {
          to[k * 2 * kFew + lane] = static_cast<Real>(g[k]);
          to[k * 2 * kFew + kFew + lane] = static_cast<Real>(slope[k]);
        }
      }
  }

  using Vector = FewVector<Wide>;

  Expansion<Real, Wide> expansion_;
  std::int64_t n_harmonics_;
  AngularInvariants invariants_;
  HarmonicFunctions<Wide> wide_harmonics_;
  HarmonicFunctions<Real> harmonics_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
