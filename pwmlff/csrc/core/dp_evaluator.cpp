// Makes an evaluator of a stored model.
#include <stdexcept>
#include <string>

#include "dp_description.hpp"

namespace pwmlff {

namespace {

void check_grids(const DpDescription &d) {
  if (!d.has_tables()) return;
  const double *grid = d.grids.as<double>();
  const std::int64_t n_stored = d.embedding.shape[0];
  std::int64_t n_intervals = 0;
  for (std::int64_t k = 0; k < d.n_nets(); ++k, grid += 3) {
    if (!(grid[1] >= 1 && grid[2] >= 0 && grid[1] + grid[2] <= n_stored))
      throw std::runtime_error("dp_evaluate expects intervals in table " + std::to_string(k) + ", got " +
                               std::to_string(grid[1]) + " and " + std::to_string(grid[2]));
    n_intervals += static_cast<std::int64_t>(grid[1]) + static_cast<std::int64_t>(grid[2]);
  }
  if (n_intervals != n_stored)
    throw std::runtime_error("dp_evaluate expects the " + std::to_string(n_intervals) +
                             " intervals of the grids, got " + std::to_string(n_stored) + " in the tables");
}

template <typename Real>
std::unique_ptr<DpEvaluator> make(const DpDescription &d) {
  DpModel<Real> model;
  model.n_types = d.n_types();
  model.inner = d.inner;
  model.outer = d.outer;
  model.mean = d.mean.as<double>();
  model.scale = d.scale.as<double>();
  model.n_neighbors = d.n_neighbors;
  model.n_axis = d.n_axis;
  model.has_net_per_pair = d.n_nets() != d.n_types();
  model.has_double_geometry = d.has_double_geometry;
  const Real *embedding = d.embedding.as<Real>();
  const std::vector<std::int64_t> &shape = d.embedding.shape;
  for (std::int64_t k = 0; k < d.n_nets(); ++k) {
    if (d.has_tables()) {
      const double *grid = d.grids.as<double>() + 3 * k;
      const auto inner = static_cast<std::int64_t>(grid[1]), outer = static_cast<std::int64_t>(grid[2]);
      model.tables.push_back({embedding, shape[1], shape[2], grid[0], d.dx, inner, outer});
      embedding += (inner + outer) * shape[1] * shape[2];
    } else {
      model.embedding.push_back(
          {embedding, 1, d.embedding_widths, static_cast<ActivationKind>(d.embedding_activation)});
      embedding += shape[1];
    }
  }
  for (std::int64_t t = 0; t < d.n_types(); ++t)
    model.fitting.push_back({d.fitting.as<Real>() + t * d.fitting.shape[1], d.n_features() * d.n_axis, d.fitting_widths,
                             static_cast<ActivationKind>(d.fitting_activation)});
  return make_dp_evaluator(model);
}

}  // namespace

std::unique_ptr<DpEvaluator> DpDescription::make_evaluator() const {
  check_shapes();
  check_grids(*this);
  return has_double_nets ? make<double>(*this) : make<float>(*this);
}

}  // namespace pwmlff
