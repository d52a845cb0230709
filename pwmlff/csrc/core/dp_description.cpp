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
  if (!condition) throw std::runtime_error("dp_evaluate " + message);
}

void expect_shape(const char *name, const ArrayView &array, const Shape &expected) {
  expect(array.shape == expected, std::string("expects ") + name + " " + text(expected) + ", got " + text(array.shape));
}

}  // namespace

void DpDescription::check_shapes() const {
  expect(mean.shape.size() == 1 && !grids.shape.empty() && !embedding.shape.empty(),
         "expects mean [T], grids [K, 3] and embedding nets, got " + text(mean.shape) + ", " + text(grids.shape) +
             " and " + text(embedding.shape));
  expect(!embedding_widths.empty() && !fitting_widths.empty(), "expects widths of the nets, got none");
  const std::int64_t n_features = embedding_widths.back();
  expect(0 < n_axis && n_axis <= n_features,
         "expects 1 to " + std::to_string(n_features) + " axis features, got " + std::to_string(n_axis));
  if (has_tables()) {
    const Shape &shape = embedding.shape;
    expect(shape.size() == 3 && (shape[1] == 4 || shape[1] == 6) && shape[2] == n_features,
           "expects tables [intervals, 4 or 6, " + std::to_string(n_features) + "], got " + text(shape));
    expect(dx > 0, "expects tables with intervals of a width, got " + std::to_string(dx));
    expect_shape("grids", grids, {n_nets(), 3});
  } else {
    expect_shape("embedding", embedding, {n_nets(), net_parameter_count(1, embedding_widths)});
  }
  expect(n_nets() == n_types() || n_nets() == n_types() * n_types(),
         "expects an embedding net per type or pair of types, got " + std::to_string(n_nets()) + " for " +
             std::to_string(n_types()) + " types");
  expect_shape("fitting", fitting,
               {n_types(), net_parameter_count(n_features * n_axis, fitting_widths) + fitting_widths.back() + 1});
  expect_shape("scale", scale, {n_types(), 4});
}

}  // namespace pwmlff
