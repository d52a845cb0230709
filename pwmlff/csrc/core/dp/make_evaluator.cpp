#include "dp/make_evaluator.hpp"

#include "dp/description.hpp"
#include "dp/model.hpp"
#include "kernel.hpp"

namespace pwmlff::dp {

namespace {

template <typename Real>
Model<Real> model_of(const Description &d) {
  Model<Real> model;
  model.n_types = d.n_types;
  model.inner = d.inner;
  model.outer = d.outer;
  model.mean = d.mean.as<double>();
  model.scale = d.scale.as<double>();
  model.n_neighbors = d.n_neighbors;
  model.n_axis = d.n_axis;
  model.has_net_per_pair = d.has_net_per_pair();
  model.has_double_geometry = d.has_double_geometry;
  const auto views = [](const StoredNets &nets, std::int64_t n_in) {
    std::vector<NetView<Real>> result;
    for (std::int64_t k = 0; k < nets.parameters.shape[0]; ++k)
      result.push_back({nets.parameters.as<Real>() + k * nets.parameters.shape[1], n_in, nets.widths,
                        std::vector<ActivationKind>(nets.widths.size(), nets.activation)});
    return result;
  };
  model.fitting = views(d.fitting, d.n_features * d.n_axis);
  if (!d.has_tables()) {
    model.embedding = views(d.embedding, 1);
    return model;
  }
  const std::int64_t n_terms = d.tables.shape[1];
  const Real *coefficients = d.tables.as<Real>();
  for (const Grid &grid : d.grids) {
    model.tables.push_back({coefficients, n_terms, d.n_features, grid.lower, d.dx, grid.n_fine, grid.n_coarse});
    coefficients += grid.n_intervals() * n_terms * d.n_features;
  }
  return model;
}

}  // namespace

Extent extent(const StoredModel &stored) {
  const Description description(stored);
  return {description.n_types, description.outer};
}

std::unique_ptr<const Evaluator> make_evaluator(const StoredModel &stored) {
  const Description description(stored);
  return description.dtype() == DType::float64 ? make_for_processor(model_of<double>(description))
                                               : make_for_processor(model_of<float>(description));
}

}  // namespace pwmlff::dp
