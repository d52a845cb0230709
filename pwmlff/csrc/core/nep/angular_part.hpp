// The angular descriptors of the atoms of a chunk, and the derivatives of the energy through them.
//
// Sums over neighbours are products of matrices: s = b g with the harmonics b [lm, pairs] and the radial functions
// g [pairs, n], and on the way back dE/ds times g and g' (n by pairs), which harmonics.hpp contracts with b and its
// derivatives.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "harmonics.hpp"
#include "nep/angular_invariants.hpp"
#include "nep/angular_pairs.hpp"
#include "nep/expansion.hpp"
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
  AngularPairs<Wide> pairs;
  Buffer<Wide> wide_sums;              // s as it is summed
  Buffer<Real> by_sums, by_harmonics;  // dE/ds, and that times g and g' [lm, 2, kFew]

  void clear() {
    pair_start.assign(1, 0);
    pair_count.clear();
  }
};

template <typename Real, typename Wide, typename Functions>
class AngularPart {
 public:
  using Workspace = AngularWorkspace<Real, Wide>;

  explicit AngularPart(const nep::Model<Real> &model)
      : functions_(model, nep::kAngular),
        invariants_(model),
        wide_harmonics_(harmonic_functions<Wide>(model.l_max)),
        harmonics_(harmonic_functions<Real>(model.l_max)) {}

  const Functions &functions() const { return functions_; }
  const AngularInvariants &invariants() const { return invariants_; }
  const HarmonicFunctions<Wide> &harmonics() const { return wide_harmonics_; }

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
      AngularPairs<Wide> &pairs = work.pairs;
      pairs.fill(central, neighbors, radii, functions_, wide_harmonics_);
      keep(begin, work);
      provide(work.wide_sums, invariants_.sums_size());
      const std::int64_t stride = functions_.stride(), n_harmonics = harmonics_.count;
      for (std::int64_t block = 0; block * kFew < stride; ++block)
        multiply<Wide, kFew>(n_harmonics, kFew, count, pairs.harmonics.data(), n, 1,
                             pairs.functions.data() + block * kFew, stride,
                             work.wide_sums.data() + block * n_harmonics * kFew, kFew, false);
      std::copy_n(work.wide_sums.data(), invariants_.sums_size(), sums);
    }
    invariants_.describe(sums, q);
  }

  // Adds to the gradients of the pairs of an atom of the chunk, from dE/dq.
  void differentiate(std::int64_t atom, const Real *by_q, Workspace &work, double *gradients) const {
    const std::int64_t begin = work.pair_start[atom], end = begin + work.pair_count[atom];
    if (begin == end) return;
    provide(work.by_sums, invariants_.sums_size());
    provide(work.by_harmonics, harmonics_.count * 2 * kFew);
    invariants_.differentiate(work.sums.data() + atom * invariants_.sums_size(), by_q, work.by_sums.data());
    const std::int64_t n_functions = functions_.n_functions();
    for (std::int64_t p = begin; p < end; p += kFew) {
      const Real *functions = work.functions.data() + p * 2 * n_functions;
      for (std::int64_t n = 0; n < n_functions; n += kFew)
        multiply<Real, kFew>(harmonics_.count, 2 * kFew, std::min(kFew, n_functions - n),
                             work.by_sums.data() + n * harmonics_.count, kFew, 1, functions + n * 2 * kFew, 2 * kFew,
                             work.by_harmonics.data(), 2 * kFew, n > 0);
      Real by_vector[3][kFew];
      harmonics_.differentiate({work.x.data() + p, work.y.data() + p, work.z.data() + p}, work.inverse.data() + p,
                               work.by_harmonics.data(), by_vector[0]);
      for (std::int64_t lane = 0; lane < std::min(kFew, end - p); ++lane)
        for (int c = 0; c < 3; ++c) gradients[3 * work.place[p + lane] + c] += static_cast<double>(by_vector[c][lane]);
    }
  }

 private:
  // What the way back needs of the pairs.
  void keep(std::int64_t begin, Workspace &work) const {
    const AngularPairs<Wide> &pairs = work.pairs;
    const std::int64_t n = pairs.size, n_functions = functions_.n_functions(), stride = functions_.stride();
    provide(work.place, begin + n);
    for (Buffer<Real> *buffer : {&work.x, &work.y, &work.z, &work.inverse}) provide(*buffer, begin + n);
    std::copy_n(pairs.place.data(), n, work.place.data() + begin);
    std::copy_n(pairs.x.data(), n, work.x.data() + begin);
    std::copy_n(pairs.y.data(), n, work.y.data() + begin);
    std::copy_n(pairs.z.data(), n, work.z.data() + begin);
    std::copy_n(pairs.inverse.data(), n, work.inverse.data() + begin);
    provide(work.functions, (begin + n) * 2 * n_functions);
    Real *to = work.functions.data() + begin * 2 * n_functions;
    for (std::int64_t p = 0; p < n; p += kFew, to += 2 * kFew * n_functions)
      for (std::int64_t lane = 0; lane < kFew; ++lane) {
        const Wide *g = pairs.functions.data() + (p + lane) * stride;
        const Wide *slope = pairs.derivative.data() + (p + lane) * stride;
        for (std::int64_t k = 0; k < n_functions; ++k) {
          to[k * 2 * kFew + lane] = static_cast<Real>(g[k]);
          to[k * 2 * kFew + kFew + lane] = static_cast<Real>(slope[k]);
        }
      }
  }

  Functions functions_;
  AngularInvariants invariants_;
  HarmonicFunctions<Wide> wide_harmonics_;
  HarmonicFunctions<Real> harmonics_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
