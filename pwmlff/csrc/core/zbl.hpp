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

// Of a pair of types.
struct ZblConstants {
  static constexpr int kTerms = 4;

  double inner, outer;            // Å, where the repulsion begins to fall, and where it has ended
  double per_distance, strength;  // x / r, and k Z_i Z_j / 2
  double amplitudes[kTerms], decays[kTerms];
};

// Energy of a directed pair and its derivative by distance.
struct ZblPair {
  double energy, slope;

  PWMLFF_INLINE ZblPair(const ZblConstants &constants, double r) {
    const double pi = 3.14159265358979323846;
    const double x = constants.per_distance * r, width = constants.outer - constants.inner;
    double screening = 0, falling = 0;  // phi and -dphi/dx
    for (int k = 0; k < ZblConstants::kTerms; ++k) {
      const double term = constants.amplitudes[k] * std::exp(-constants.decays[k] * x);
      screening += term;
      falling += constants.decays[k] * term;
    }
    double u = (r - constants.inner) / width;
    u = u < 0.0 ? 0.0 : u;
    u = u > 1.0 ? 1.0 : u;
    const double switched = 0.5 + 0.5 * std::cos(pi * u);
    const double switch_slope = -0.5 * pi / width * std::sin(pi * u);
    const double bare = constants.strength / r;
    energy = bare * screening * switched;
    slope = bare * (screening * switch_slope - (falling * constants.per_distance + screening / r) * switched);
  }
};

class Zbl {
 public:
  // From the arrays of families.hpp; throws std::runtime_error where they are not for so many types.
  Zbl(const StoredModel &model, std::int64_t n_types);

  // Adds to energies [N] (eV) and gradients [E, 3] (eV/Å) for the atoms first..last.
  void add(const Pairs &pairs, double *energies, double *gradients, std::int64_t first, std::int64_t last) const;

  double reach() const;  // Å, of the pair of types that repel farthest
  const std::vector<ZblConstants> &constants() const { return constants_; }  // [T, T]

 private:
  std::int64_t n_types_;
  std::vector<ZblConstants> constants_;
};

}  // namespace pwmlff
