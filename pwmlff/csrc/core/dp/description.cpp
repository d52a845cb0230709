#include "dp/description.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace pwmlff::dp {

namespace {

// What a thread works with is up to 32 atoms times products of these, so a small file cannot ask for much memory.
constexpr std::int64_t kLargestWidth = 1 << 14, kMostFeatures = 1 << 12, kMostLayers = 100;
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

void expect(bool condition, const std::string &message) {
  if (!condition) throw std::runtime_error("the dp model expects " + message);
}

bool flag(const StoredModel &model, const std::string &name) {
  const std::int64_t number = model.integer(name);
  expect(number == 0 || number == 1, "'" + name + "' to be 0 or 1, got " + std::to_string(number));
  return number == 1;
}

StoredNets nets(const StoredModel &model, const std::string &name) {
  StoredNets result{model.array(name), model.integers(name + ".widths"),
                    flag(model, name + ".activation") ? ActivationKind::sigmoid : ActivationKind::tanh};
  const auto n_layers = static_cast<std::int64_t>(result.widths.size());
  expect(0 < n_layers && n_layers <= kMostLayers,
         "1 to " + std::to_string(kMostLayers) + " layers in the " + name + " nets, got " + std::to_string(n_layers));
  for (const std::int64_t width : result.widths)
    expect(0 < width && width <= kLargestWidth,
           "layers of 1 to " + std::to_string(kLargestWidth) + " neurons, got " + std::to_string(width));
  return result;
}

bool all_positive(const Array &array) {
  const double *numbers = array.as<double>();
  return std::all_of(numbers, numbers + array.size(), [](double number) { return number > 0; });
}

// A whole number from `least` to `most`, stored as float64.
bool is_count(double number, double least, double most) {
  return least <= number && number <= most && number == std::floor(number);
}

void expect_features(std::int64_t n_features) {
  expect(0 < n_features && n_features <= kMostFeatures,
         "1 to " + std::to_string(kMostFeatures) + " features, got " + std::to_string(n_features));
}

}  // namespace

Description::Description(const StoredModel &model) : dx(0) {
  const std::vector<double> radii = model.numbers("switch");
  expect(radii.size() == 2 && 0 <= radii[0] && radii[0] < radii[1], "a switch from an inner to an outer radius");
  inner = radii[0];
  outer = radii[1];
  n_neighbors = model.number("n_neighbors");
  expect(n_neighbors > 0, "a number of neighbours above 0, got " + std::to_string(n_neighbors));
  n_axis = model.integer("n_axis");
  has_double_geometry = flag(model, "double_geometry");
  mean = model.array("mean", DType::float64, {-1});
  n_types = mean.shape[0];
  expect(n_types > 0, "a type or more, got a mean of none");
  scale = model.array("scale", DType::float64, {n_types, 4});
  expect(all_positive(scale), "a scale above 0");
  fitting = nets(model, "fitting");
  expect(dtype() != DType::int64, "fitting nets of float64 or float32, got int64");
  if (model.has("tables")) {
    read_tables(model);
  } else {
    embedding = nets(model, "embedding");
    n_features = embedding.widths.back();
    expect_features(n_features);
    model.array("embedding", dtype(), {-1, net_parameter_count(1, embedding.widths)});
  }
  expect(n_types < kLargest / n_types, "fewer types, got " + std::to_string(n_types));
  expect(n_nets() == n_types || n_nets() == n_types * n_types, "an embedding net per type or pair of types, got " +
                                                                   std::to_string(n_nets()) + " for " +
                                                                   std::to_string(n_types) + " types");
  expect(0 < n_axis && n_axis <= n_features,
         "1 to " + std::to_string(n_features) + " axis features, got " + std::to_string(n_axis));
  const std::int64_t n_hidden = net_parameter_count(n_features * n_axis, fitting.widths);
  model.array("fitting", dtype(), {n_types, n_hidden + fitting.widths.back() + 1});
}

void Description::read_tables(const StoredModel &model) {
  tables = model.array("tables", dtype(), {-1, -1, -1});
  expect(tables.shape[1] == 4 || tables.shape[1] == 6,
         "tables [intervals, 4 or 6, features], got " + shape_text(tables.shape));
  n_features = tables.shape[2];
  expect_features(n_features);
  dx = model.number("tables.dx");
  expect(dx > 0, "tables with intervals of a width, got " + std::to_string(dx));
  const Array &stored = model.array("tables.grids", DType::float64, {-1, 3});
  const double *grid = stored.as<double>();
  const std::int64_t n_stored = tables.shape[0];
  std::int64_t n_intervals = 0;
  for (std::int64_t k = 0; k < stored.shape[0]; ++k, grid += 3) {
    const double most = static_cast<double>(n_stored - n_intervals);
    expect(is_count(grid[1], 1, most) && is_count(grid[2], 0, most - grid[1]),
           "intervals in table " + std::to_string(k) + ", got " + std::to_string(grid[1]) + " and " +
               std::to_string(grid[2]));
    grids.push_back({grid[0], static_cast<std::int64_t>(grid[1]), static_cast<std::int64_t>(grid[2])});
    n_intervals += grids.back().n_intervals();
  }
  expect(!grids.empty(), "a grid for each table, got none");
  expect(n_intervals == n_stored, "the " + std::to_string(n_intervals) + " intervals of the grids, got " +
                                      std::to_string(n_stored) + " in the tables");
}

}  // namespace pwmlff::dp
