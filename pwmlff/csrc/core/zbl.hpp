// Screened nuclear repulsion at short distances, the twin of models/zbl.py for inference.
//
//   E_i = 1/2 sum_j k Z_i Z_j / r phi(x) f(r),  x = 2.134563 r (Z_i^0.23 + Z_j^0.23)
//
// with phi a sum of four exponentials, and f a cosine that falls from 1 to 0 between two distances.
#pragma once

#include <cstdint>
#include <vector>

#include "dp.hpp"

namespace pwmlff {

class Zbl {
 public:
  // inner and outer in Å, strength k in eV Å, charges [T]
  Zbl(double inner, double outer, double strength, const std::vector<double> &charges);

  std::int64_t n_types() const { return n_types_; }

  // Adds to energies [N] (eV) and gradients [E, 3] (eV/Å) for the atoms first..last.
  void add(const DpPairs &pairs, double *energies, double *gradients, std::int64_t first, std::int64_t last) const;

 private:
  // Energy of a directed pair and its derivative by distance.
  struct Pair {
    double energy, slope;
  };
  struct Constants {
    double per_distance, strength;  // x / r, and k Z_i Z_j / 2
  };

  Pair pair(const Constants &constants, double distance) const;

  double inner_, outer_;
  std::int64_t n_types_;
  std::vector<Constants> constants_;  // [T, T]
};

}  // namespace pwmlff
