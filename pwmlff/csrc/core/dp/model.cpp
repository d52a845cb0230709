#include "dp/model.hpp"

#include "dp/description.hpp"

namespace pwmlff::dp {

template <typename Real>
Model<Real> Description::to_model() const {
  Model<Real> model;
  model.n_types = n_types;
  model.inner = inner;
  model.outer = outer;
  model.mean = mean.as<double>();
  model.scale = scale.as<double>();
  model.n_neighbors = n_neighbors;
  model.n_axis = n_axis;
  model.has_net_per_pair = has_net_per_pair();
  model.has_double_geometry = has_double_geometry;
  const auto views = [](const StoredNets &nets, std::int64_t n_in) {
    std::vector<NetView<Real>> result;
    for (std::int64_t k = 0; k < nets.parameters.shape[0]; ++k)
      result.push_back({nets.parameters.as<Real>() + k * nets.parameters.shape[1], n_in, nets.widths,
                        std::vector<ActivationKind>(nets.widths.size(), nets.activation)});
    return result;
  };
  model.fitting = views(fitting, n_features * n_axis);
  if (!has_tables()) {
    model.embedding = views(embedding, 1);
    return model;
  }
  const std::int64_t n_terms = tables.shape[1];
  const Real *coefficients = tables.as<Real>();
  for (const Grid &grid : grids) {
    model.tables.push_back({coefficients, n_terms, n_features, grid.lower, dx, grid.n_fine, grid.n_coarse});
    coefficients += grid.n_intervals() * n_terms * n_features;
  }
  return model;
}

template Model<double> Description::to_model() const;
template Model<float> Description::to_model() const;

}  // namespace pwmlff::dp
