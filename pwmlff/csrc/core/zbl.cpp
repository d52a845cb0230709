#include "zbl.hpp"

#include <algorithm>
#include <cmath>

namespace pwmlff {

namespace {

constexpr double kAmplitudes[] = {0.18175, 0.50986, 0.28022, 0.02817};
constexpr double kDecays[] = {3.1998, 0.94229, 0.4029, 0.20162};
constexpr double kPi = 3.14159265358979323846;

}  // namespace

Zbl::Zbl(double inner, double outer, double strength, const std::vector<double> &charges)
    : inner_(inner), outer_(outer), n_types_(static_cast<std::int64_t>(charges.size())) {
  for (const double z_i : charges)
    for (const double z_j : charges)
      constants_.push_back({2.134563 * (std::pow(z_i, 0.23) + std::pow(z_j, 0.23)), 0.5 * strength * z_i * z_j});
}

Zbl::Pair Zbl::pair(const Constants &constants, double r) const {
  const double x = constants.per_distance * r;
  double screening = 0, falling = 0;  // phi and -dphi/dx
  for (int k = 0; k < 4; ++k) {
    const double term = kAmplitudes[k] * std::exp(-kDecays[k] * x);
    screening += term;
    falling += kDecays[k] * term;
  }
  const double u = std::clamp((r - inner_) / (outer_ - inner_), 0.0, 1.0);
  const double switched = 0.5 + 0.5 * std::cos(kPi * u);
  const double switch_slope = -0.5 * kPi / (outer_ - inner_) * std::sin(kPi * u);
  const double bare = constants.strength / r;
  return {bare * screening * switched,
          bare * (screening * switch_slope - (falling * constants.per_distance + screening / r) * switched)};
}

void Zbl::add(const DpPairs &pairs, double *energies, double *gradients, std::int64_t first, std::int64_t last) const {
  for (std::int64_t i = first; i < last; ++i) {
    const Constants *constants = constants_.data() + pairs.atom_types[i] * n_types_;
    for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) {
      const double *vector = pairs.vectors + 3 * e;
      const double squared = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
      if (!(squared < outer_ * outer_)) continue;
      const double r = std::sqrt(squared);
      const Pair found = pair(constants[pairs.pair_types[e]], r);
      energies[i] += found.energy;
      for (int c = 0; c < 3; ++c) gradients[3 * e + c] += found.slope / r * vector[c];
    }
  }
}

}  // namespace pwmlff
