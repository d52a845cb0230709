// The neighbours of one atom within the cutoffs, by type.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nep/model.hpp"
#include "pairs.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Of one central type with each type of neighbour.
struct CutoffRadii {
  // Å^2, of the longer of the two cutoffs and of the angular one
  struct Squares {
    double reach, angular;
  };

  std::vector<double> inverse_radial, inverse_angular;  // [T] 1/Å
  std::vector<Squares> squares;                         // [T]
};

template <typename Real>
CutoffRadii cutoff_radii(const nep::Model<Real> &model, std::int64_t central) {
  CutoffRadii radii;
  for (std::int64_t t = 0; t < model.n_types; ++t) {
    const double radial = model.pair_cutoff(nep::kRadial, central, t);
    const double angular = model.pair_cutoff(nep::kAngular, central, t);
    radii.inverse_radial.push_back(1 / radial);
    radii.inverse_angular.push_back(1 / angular);
    radii.squares.push_back({std::max(radial, angular) * std::max(radial, angular), angular * angular});
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
  Buffer<std::int32_t> angular;         // places in the arrays above of those within the angular cutoff
  const std::int64_t *types = nullptr;  // of all pairs of the atom, in the order of the input

  // A distance that is not a number counts as near: it must not vanish. Pairs are written wherever they lie, and stay
  // if they are near: whether they are cannot be foretold.
  void gather(const Pairs &pairs, std::int64_t atom, std::int64_t n_types, const CutoffRadii &radii) {
    const std::int64_t first = pairs.start[atom], n = pairs.start[atom + 1] - first;
    capacity = padded<float>(n);
    for (Buffer<Wide> *buffer : {&x, &y, &z}) provide(*buffer, n_types * capacity);
    provide(place, n_types * capacity);
    provide(angular, n + 1);
    counts.assign(n_types, 0);
    types = pairs.pair_types + first;
    std::int64_t n_near = 0;
    const double *__restrict vector = pairs.vectors + 3 * first;
    const CutoffRadii::Squares *squares = radii.squares.data();
    Wide *__restrict to_x = x.data(), *__restrict to_y = y.data(), *__restrict to_z = z.data();
    std::int32_t *__restrict to_place = place.data(), *__restrict near = angular.data();
    std::int64_t *count = counts.data();
    for (std::int64_t e = 0; e < n; ++e, vector += 3) {
      const std::int64_t type = types[e], at = type * capacity + count[type];
      const double squared = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
      to_x[at] = static_cast<Wide>(vector[0]);
      to_y[at] = static_cast<Wide>(vector[1]);
      to_z[at] = static_cast<Wide>(vector[2]);
      to_place[at] = static_cast<std::int32_t>(e);
      near[n_near] = static_cast<std::int32_t>(at);
      count[type] += !(squared >= squares[type].reach);
      n_near += !(squared >= squares[type].angular);
    }
    n_angular = n_near;
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
