// The neighbours of one atom within the cutoffs, by type.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "pairs.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Of one central type with each type of neighbour.
struct CutoffRadii {
  std::vector<double> radial, angular;                 // [T] Å
  std::vector<double> reach_squared, angular_squared;  // [T] Å^2, of the longer of the two and of the second
};

inline CutoffRadii cutoff_radii(const double *cutoff, std::int64_t n_types, std::int64_t central) {
  CutoffRadii radii;
  for (std::int64_t t = 0; t < n_types; ++t) {
    const double radial = 0.5 * (cutoff[2 * central] + cutoff[2 * t]);
    const double angular = 0.5 * (cutoff[2 * central + 1] + cutoff[2 * t + 1]);
    radii.radial.push_back(radial);
    radii.angular.push_back(angular);
    radii.reach_squared.push_back(std::max(radial, angular) * std::max(radial, angular));
    radii.angular_squared.push_back(angular * angular);
  }
  return radii;
}

template <typename Wide>
struct Neighborhood {
  std::int64_t capacity = 0;         // of a type: its pairs begin at capacity times the type
  std::vector<std::int64_t> counts;  // [T]
  Buffer<Wide> x, y, z;              // [T, capacity] Å
  Buffer<std::int32_t> place;        // likewise, counted from the atom's first pair
  std::int64_t n_angular = 0;
  Buffer<std::int32_t> angular;  // places in the arrays above of those within the angular cutoff
  Buffer<std::int32_t> angular_type;

  // A distance that is not a number counts as near: it must not vanish.
  void gather(const Pairs &pairs, std::int64_t atom, std::int64_t n_types, const CutoffRadii &radii) {
    const std::int64_t first = pairs.start[atom], n = pairs.start[atom + 1] - first;
    capacity = padded<float>(n);
    counts.assign(n_types, 0);
    for (Buffer<Wide> *buffer : {&x, &y, &z}) provide(*buffer, n_types * capacity);
    provide(place, n_types * capacity);
    provide(angular, n + 1);
    provide(angular_type, n + 1);
    n_angular = 0;
    const double *__restrict vector = pairs.vectors + 3 * first;
    for (std::int64_t e = 0; e < n; ++e, vector += 3) {
      const std::int64_t type = pairs.pair_types[first + e], to = type * capacity + counts[type];
      const double squared = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
      x[to] = static_cast<Wide>(vector[0]);
      y[to] = static_cast<Wide>(vector[1]);
      z[to] = static_cast<Wide>(vector[2]);
      place[to] = static_cast<std::int32_t>(e);
      angular[n_angular] = static_cast<std::int32_t>(to);
      angular_type[n_angular] = static_cast<std::int32_t>(type);
      counts[type] += !(squared >= radii.reach_squared[type]);
      n_angular += !(squared >= radii.angular_squared[type]);
    }
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
