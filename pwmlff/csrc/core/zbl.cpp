#include "zbl.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace pwmlff {

namespace {

constexpr double kUniversalScreening[] = {0.18175, 3.1998, 0.50986, 0.94229, 0.28022, 0.4029, 0.02817, 0.20162};
constexpr std::int64_t kRange = 2, kScreening = 2 * ZblConstants::kTerms;

// The rows of pairs of types, [T, T, n]; models of older versions have one row for all.
struct PairRows {
  const double *first;
  std::int64_t stride;

  const double *operator[](std::int64_t pair) const { return first + pair * stride; }
};

PairRows ranges(const StoredModel &model, std::int64_t n_types) {
  const Array &array = model.array("repulsion.range");
  const bool is_one = array.shape == Shape{kRange};
  const Shape shape = is_one ? array.shape : Shape{n_types, n_types, kRange};
  return {model.array("repulsion.range", DType::float64, shape).as<double>(), is_one ? 0 : kRange};
}

PairRows screenings(const StoredModel &model, std::int64_t n_types) {
  if (!model.has("repulsion.screening")) return {kUniversalScreening, 0};
  return {model.array("repulsion.screening", DType::float64, {n_types, n_types, kScreening}).as<double>(), kScreening};
}

}  // namespace

Zbl::Zbl(const StoredModel &model, std::int64_t n_types) : n_types_(n_types) {
  const std::vector<double> charges = model.numbers("repulsion.charges");
  const double strength = model.number("repulsion.strength");
  if (static_cast<std::int64_t>(charges.size()) != n_types)
    throw std::runtime_error("the repulsion has " + std::to_string(charges.size()) + " nuclear charges for " +
                             std::to_string(n_types) + " types");
  for (const double charge : charges)
    if (!(charge > 0))
      throw std::runtime_error("the repulsion expects nuclear charges above 0, got " + std::to_string(charge));
  const PairRows range = ranges(model, n_types), screening = screenings(model, n_types);
  for (std::int64_t pair = 0; pair < n_types * n_types; ++pair) {
    const double z_i = charges[pair / n_types], z_j = charges[pair % n_types];
    const double inner = range[pair][0], outer = range[pair][1];
    if (!(0 <= inner && (inner < outer || (inner == 0 && outer == 0))))
      throw std::runtime_error("the repulsion expects ranges from an inner to an outer radius");
    ZblConstants constants = {
        inner, outer, 2.134563 * (std::pow(z_i, 0.23) + std::pow(z_j, 0.23)), 0.5 * strength * z_i * z_j, {}, {}};
    for (int k = 0; k < ZblConstants::kTerms; ++k) {
      constants.amplitudes[k] = screening[pair][2 * k];
      constants.decays[k] = screening[pair][2 * k + 1];
    }
    constants_.push_back(constants);
  }
}

double Zbl::reach() const {
  double reach = 0;
  for (const ZblConstants &constants : constants_) reach = std::max(reach, constants.outer);
  return reach;
}

void Zbl::add(const Pairs &pairs, double *energies, double *gradients, std::int64_t first, std::int64_t last) const {
  for (std::int64_t i = first; i < last; ++i) {
    const ZblConstants *of_neighbor = constants_.data() + pairs.atom_types[i] * n_types_;
    for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) {
      const double *vector = pairs.vectors + 3 * e;
      const double squared = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
      const ZblConstants &constants = of_neighbor[pairs.pair_types[e]];
      if (!(squared < constants.outer * constants.outer)) continue;
      const double r = std::sqrt(squared);
      const ZblPair pair(constants, r);
      energies[i] += pair.energy;
      for (int c = 0; c < 3; ++c) gradients[3 * e + c] += pair.slope / r * vector[c];
    }
  }
}

}  // namespace pwmlff
