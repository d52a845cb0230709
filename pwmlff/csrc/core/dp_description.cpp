#include "dp_description.hpp"

#include <stdexcept>
#include <string>

namespace pwmlff {

namespace {

using Shape = std::vector<std::int64_t>;

std::string text(const Shape &shape) {
  std::string result;
  for (const std::int64_t size : shape) result += (result.empty() ? "" : ", ") + std::to_string(size);
  return "[" + result + "]";
}

void expect(bool condition, const std::string &message) {
  if (!condition) throw std::invalid_argument("dp_evaluate " + message);
}

void expect_shape(const char *name, const ArrayView &array, const Shape &expected) {
  expect(array.shape == expected,
         std::string("expects ") + name + " " + text(expected) + ", got " + text(array.shape));
}

void check_tables(const DpDescription &d) {
  const Shape &shape = d.embedding.shape;
  const std::int64_t n_features = d.embedding_widths.back();
  expect(shape.size() == 3 && (shape[1] == 4 || shape[1] == 6) && shape[2] == n_features,
         "expects tables [intervals, 4 or 6, " + std::to_string(n_features) + "], got " + text(shape));
  expect(d.dx > 0, "expects tables with intervals of a width, got " + std::to_string(d.dx));
  expect_shape("grids", d.grids, {d.n_nets(), 3});
  const double *grid = d.grids.as<double>();
  std::int64_t n_intervals = 0;
  for (std::int64_t k = 0; k < d.n_nets(); ++k, grid += 3) {
    expect(grid[1] >= 1 && grid[2] >= 0 && grid[1] + grid[2] <= shape[0],
           "expects intervals in table " + std::to_string(k) + ", got " + std::to_string(grid[1]) + " and " +
               std::to_string(grid[2]));
    n_intervals += static_cast<std::int64_t>(grid[1]) + static_cast<std::int64_t>(grid[2]);
  }
  expect(n_intervals == shape[0], "expects the " + std::to_string(n_intervals) + " intervals of the grids, got " +
                                      std::to_string(shape[0]) + " in the tables");
}

void check(const DpDescription &d) {
  expect(d.mean.shape.size() == 1 && !d.grids.shape.empty() && !d.embedding.shape.empty(),
         "expects mean [T], grids [K, 3] and embedding nets, got " + text(d.mean.shape) + ", " + text(d.grids.shape) +
             " and " + text(d.embedding.shape));
  expect(!d.embedding_widths.empty() && !d.fitting_widths.empty(), "expects widths of the nets, got none");
  expect(0 < d.n_axis && d.n_axis <= d.embedding_widths.back(),
         "expects 1 to " + std::to_string(d.embedding_widths.back()) + " axis features, got " +
             std::to_string(d.n_axis));
  if (d.has_tables())
    check_tables(d);
  else
    expect_shape("embedding", d.embedding, {d.n_nets(), net_parameter_count(1, d.embedding_widths)});
  expect(d.n_nets() == d.n_types() || d.n_nets() == d.n_types() * d.n_types(),
         "expects an embedding net per type or pair of types, got " + std::to_string(d.n_nets()) + " for " +
             std::to_string(d.n_types()) + " types");
  const std::int64_t n_input = d.embedding_widths.back() * d.n_axis;
  expect_shape("fitting", d.fitting,
               {d.n_types(), net_parameter_count(n_input, d.fitting_widths) + d.fitting_widths.back() + 1});
  expect_shape("scale", d.scale, {d.n_types(), 4});
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
  const Shape &shape = d.embedding.shape;
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
    model.fitting.push_back({d.fitting.as<Real>() + t * d.fitting.shape[1], d.embedding_widths.back() * d.n_axis,
                             d.fitting_widths, static_cast<ActivationKind>(d.fitting_activation)});
  return make_dp_evaluator(model);
}

}  // namespace

std::unique_ptr<DpEvaluator> DpDescription::make_evaluator() const {
  check(*this);
  return has_double_nets ? make<double>(*this) : make<float>(*this);
}

}  // namespace pwmlff
