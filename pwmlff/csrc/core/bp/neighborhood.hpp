// The neighbours of one atom within a reach, by type.
//
// Those of a type begin at a multiple of the vector width. Behind them is room for one vector more, and whatever lies
// there is beyond all cutoffs.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "half_angle.hpp"
#include "pairs.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real, typename Wide>
struct Neighborhood {
  std::int64_t capacity = 0;         // of a type, a multiple of the vector width
  std::vector<std::int64_t> counts;  // [T]
  Buffer<Real> vector[3];            // [T, capacity] Å
  Buffer<Real> unit[3], distance, inverse;
  Buffer<std::int32_t> place;  // likewise, counted from the atom's first pair

  std::int64_t first(std::int64_t type) const { return type * capacity; }
  std::int64_t size() const { return static_cast<std::int64_t>(counts.size()) * capacity; }
  // Of a type, in whole vectors.
  std::int64_t padded_count(std::int64_t type) const { return padded<Real>(counts[type]); }

  // A distance that is not a number counts as near: it must not vanish.
  void gather(const Pairs &pairs, std::int64_t atom, std::int64_t n_types, double reach) {
    const std::int64_t begin = pairs.start[atom], n = pairs.start[atom + 1] - begin;
    capacity = padded<Real>(n) + kLanes<Real>;
    counts.assign(n_types, 0);
    for (int c = 0; c < 3; ++c) provide(wide_[c], n_types * capacity);
    for (int c = 0; c < 3; ++c) provide(vector[c], n_types * capacity);
    for (int c = 0; c < 3; ++c) provide(unit[c], n_types * capacity);
    for (Buffer<Real> *buffer : {&distance, &inverse}) provide(*buffer, n_types * capacity);
    provide(place, n_types * capacity);
    const double *__restrict from = pairs.vectors + 3 * begin;
    const std::int64_t *types = pairs.pair_types + begin;
    const double square = reach * reach;
    for (std::int64_t e = 0; e < n; ++e, from += 3) {
      const std::int64_t at = types[e] * capacity + counts[types[e]];
      for (int c = 0; c < 3; ++c) wide_[c][at] = static_cast<Wide>(from[c]);
      place[at] = static_cast<std::int32_t>(e);
      counts[types[e]] += !(from[0] * from[0] + from[1] * from[1] + from[2] * from[2] >= square);
    }
    for (std::int64_t type = 0; type < n_types; ++type)
      if (counts[type] > 0) fill_geometry(type, reach);
  }

 private:
  void fill_geometry(std::int64_t type, double reach) {
    const std::int64_t begin = first(type), end = begin + padded_count(type) + kLanes<Real>;
    for (std::int64_t p = begin + counts[type]; p < end; ++p) {
      wide_[0][p] = static_cast<Wide>(2 * reach);
      wide_[1][p] = wide_[2][p] = 0;
    }
    const Wide *__restrict x = wide_[0].data(), *__restrict y = wide_[1].data(), *__restrict z = wide_[2].data();
    Real *__restrict to_x = vector[0].data(), *__restrict to_y = vector[1].data(), *__restrict to_z = vector[2].data();
    Real *__restrict unit_x = unit[0].data(), *__restrict unit_y = unit[1].data(), *__restrict unit_z = unit[2].data();
    Real *__restrict r = distance.data(), *__restrict over_r = inverse.data();
#pragma omp simd
    for (std::int64_t p = begin; p < end; ++p) {
      const Wide squared = x[p] * x[p] + y[p] * y[p] + z[p] * z[p], over = inverse_root(squared);
      to_x[p] = static_cast<Real>(x[p]);
      to_y[p] = static_cast<Real>(y[p]);
      to_z[p] = static_cast<Real>(z[p]);
      unit_x[p] = static_cast<Real>(x[p] * over);
      unit_y[p] = static_cast<Real>(y[p] * over);
      unit_z[p] = static_cast<Real>(z[p] * over);
      r[p] = static_cast<Real>(squared * over);
      over_r[p] = static_cast<Real>(over);
    }
  }

  Buffer<Wide> wide_[3];
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
