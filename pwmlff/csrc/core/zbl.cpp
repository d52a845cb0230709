#include "zbl.hpp"

#include <stdexcept>
#include <string>

namespace pwmlff {

Zbl::Zbl(const StoredModel &model, std::int64_t n_types) : n_types_(n_types) {
  const std::vector<double> radii = model.numbers("repulsion.range"), charges = model.numbers("repulsion.charges");
  const double strength = model.number("repulsion.strength");
  if (radii.size() != 2 || !(0 <= radii[0] && radii[0] < radii[1]))
    throw std::runtime_error("the repulsion expects a range from an inner to an outer radius");
  if (static_cast<std::int64_t>(charges.size()) != n_types)
    throw std::runtime_error("the repulsion has " + std::to_string(charges.size()) + " nuclear charges for " +
                             std::to_string(n_types) + " types");
  for (const double charge : charges)
    if (!(charge > 0))
      throw std::runtime_error("the repulsion expects nuclear charges above 0, got " + std::to_string(charge));
  range_ = {radii[0], radii[1]};
  for (const double z_i : charges)
    for (const double z_j : charges)
      constants_.push_back({2.134563 * (std::pow(z_i, 0.23) + std::pow(z_j, 0.23)), 0.5 * strength * z_i * z_j});
}

void Zbl::add(const Pairs &pairs, double *energies, double *gradients, std::int64_t first, std::int64_t last) const {
  for (std::int64_t i = first; i < last; ++i) {
    const ZblConstants *constants = constants_.data() + pairs.atom_types[i] * n_types_;
    for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) {
      const double *vector = pairs.vectors + 3 * e;
      const double squared = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
      if (!(squared < range_.outer * range_.outer)) continue;
      const double r = std::sqrt(squared);
      const ZblPair pair(range_, constants[pairs.pair_types[e]], r);
      energies[i] += pair.energy;
      for (int c = 0; c < 3; ++c) gradients[3 * e + c] += pair.slope / r * vector[c];
    }
  }
}

}  // namespace pwmlff
