// Screened nuclear repulsion at short distances, the twin of ops/reference/zbl.py.
//
//   E_i = 1/2 sum_j k Z_i Z_j / r phi(x) f(r),  x = 2.134563 r (Z_i^0.23 + Z_j^0.23)
//
// with phi a sum of four exponentials, and f a cosine that falls from 1 to 0 between two distances.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "inline.hpp"
#include "pairs.hpp"
#include "stored_model.hpp"

namespace pwmlff {

// Of a pair of types: x / r, and k Z_i Z_j / 2.
struct ZblConstants {
  double per_distance, strength;
};

// Where the repulsion begins to fall, and where it has ended, Å.
struct ZblRange {
  double inner, outer;
};

// Energy of a directed pair and its derivative by distance.
struct ZblPair {
  double energy, slope;

  PWMLFF_INLINE ZblPair(const ZblRange &range, const ZblConstants &constants, double r) {
    const double amplitudes[] = {0.18175, 0.50986, 0.28022, 0.02817}, decays[] = {3.1998, 0.94229, 0.4029, 0.20162};
    const double pi = 3.14159265358979323846;
    const double x = constants.per_distance * r;
    double screening = 0, falling = 0;  // phi and -dphi/dx
    for (int k = 0; k < 4; ++k) {
      const double term = amplitudes[k] * std::exp(-decays[k] * x);
      screening += term;
      falling += decays[k] * term;
    }
    double u = (r - range.inner) / (range.outer - range.inner);
    u = u < 0.0 ? 0.0 : u;
    u = u > 1.0 ? 1.0 : u;
    const double switched = 0.5 + 0.5 * std::cos(pi * u);
    const double switch_slope = -0.5 * pi / (range.outer - range.inner) * std::sin(pi * u);
    const double bare = constants.strength / r;
    energy = bare * screening * switched;
    slope = bare * (screening * switch_slope - (falling * constants.per_distance + screening / r) * switched);
  }
};

class Zbl {
 public:
  // From the arrays of families.hpp; throws std::runtime_error where there are not as many charges as types.
  Zbl(const StoredModel &model, std::int64_t n_types);

  // Adds to energies [N] (eV) and gradients [E, 3] (eV/Å) for the atoms first..last.
  void add(const Pairs &pairs, double *energies, double *gradients, std::int64_t first, std::int64_t last) const;

  const ZblRange &range() const { return range_; }
  const std::vector<ZblConstants> &constants() const { return constants_; }  // [T, T]

 private:
  ZblRange range_;
  std::int64_t n_types_;
  std::vector<ZblConstants> constants_;
};

}  // namespace pwmlff
