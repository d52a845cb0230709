#include "bp/description.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace pwmlff::bp {

namespace {

// What a thread works with is up to some atoms times products of these, so a small file cannot ask for much memory.
constexpr std::int64_t kMostFunctions = 1 << 14, kMostNeurons = 1 << 12, kMostLayers = 64;

constexpr std::int64_t kG1 = 1, kG2 = 2, kG3 = 3, kG4 = 4, kG5 = 5, kPiece = 6, kTriple = 7;

void expect(bool condition, const std::string &message) {
  if (!condition) throw std::runtime_error("the bp model expects " + message);
}

void expect_range(const std::string &what, std::int64_t least, std::int64_t most, std::int64_t found) {
  expect(least <= found && found <= most,
         std::to_string(least) + " to " + std::to_string(most) + " " + what + ", got " + std::to_string(found));
}

// Row numbers [T + 1] of the functions of each central type, of so many in all.
std::vector<std::int64_t> starts(const StoredModel &model, const std::string &name, std::int64_t n_types,
                                 std::int64_t n_functions) {
  const std::vector<std::int64_t> start = model.integers(name);
  const bool is_good = static_cast<std::int64_t>(start.size()) == n_types + 1 && start.front() == 0 &&
                       start.back() == n_functions && std::is_sorted(start.begin(), start.end());
  expect(is_good, "'" + name + "' to rise from 0 to " + std::to_string(n_functions) + " in " +
                      std::to_string(n_types + 1) + " steps");
  return start;
}

double real_at(const Array &array, std::int64_t place) {
  return array.dtype == DType::float64 ? array.as<double>()[place] : static_cast<double>(array.as<float>()[place]);
}

// A function by its row, for messages.
std::string called(const char *what, std::int64_t row) {
  return std::string(what) + " function " + std::to_string(row);
}

DistanceFunction gaussian(const double *row, const std::string &name) {
  expect(row[1] >= 0, "an eta of 0 or more of " + name + ", got " + std::to_string(row[1]));
  if (row[1] == 0) return {DistanceFunction::Kind::cutoff, row[0], 0, 0};
  return {DistanceFunction::Kind::gaussian, row[0], row[1], row[2]};
}

DistanceFunction piece(double center, double half_width, const std::string &name) {
  expect(half_width > 0, "a half width above 0 of " + name + ", got " + std::to_string(half_width));
  return {DistanceFunction::Kind::piece, center + half_width, center, half_width};
}

// All arrays but those of the nets.
std::string without_nets(const StoredModel &model) {
  std::string bytes;
  for (const auto &[name, array] : model.arrays)
    if (name.rfind("net.", 0) != 0)
      bytes.append(name).append(static_cast<const char *>(array.data), array.size() * dtype_size(array.dtype));
  return bytes;
}

// Functions are finite numbers with a cutoff above 0.
void check_row(const double *row, std::int64_t n, const std::string &name) {
  expect(std::all_of(row, row + n, [](double number) { return std::isfinite(number); }),
         "finite parameters of " + name);
  expect(row[0] > 0, "a cutoff above 0 of " + name + ", got " + std::to_string(row[0]));
}

RadialFunction radial_function(std::int64_t kind, const double *row, const std::string &name) {
  check_row(row, 3, name);
  switch (kind) {
    case kG1: return {{DistanceFunction::Kind::cutoff, row[0], 0, 0}, {}};
    case kG2: return {gaussian(row, name), {}};
    case kG3: return {{DistanceFunction::Kind::cosine, row[0], row[1], 0}, {}};
    case kPiece: return {piece(row[1], row[2], name), {}};
    default: throw std::runtime_error("the bp model has no radial functions of kind " + std::to_string(kind));
  }
}

AngularFunction angular_function(std::int64_t kind, const double *row, const std::string &name) {
  check_row(row, 7, name);
  if (kind == kTriple)
    return {
        {piece(row[1], row[4], name), piece(row[2], row[5], name)}, piece(row[3], row[6], name), true, false, 0, 0, {}};
  if (kind != kG4 && kind != kG5)
    throw std::runtime_error("the bp model has no angular functions of kind " + std::to_string(kind));
  expect(std::abs(row[3]) <= 1, "a lambda of -1 to 1 of " + name + ", got " + std::to_string(row[3]));
  expect(row[4] >= 1, "a zeta of 1 or more of " + name + ", got " + std::to_string(row[4]));
  const DistanceFunction near = gaussian(row, name);
  return {{near, near}, near, kind == kG4, true, row[3], row[4], {}};
}

}  // namespace

Description::Description(const StoredModel &model) {
  expect_range("as cutoff_function", 0, kCutoffKinds - 1, model.integer("cutoff_function"));
  cutoff = {static_cast<CutoffKind>(model.integer("cutoff_function")), model.number("inner_fraction")};
  expect(cutoff.inner_fraction >= 0 && cutoff.inner_fraction < 1,
         "an inner_fraction of 0 to below 1, got " + std::to_string(cutoff.inner_fraction));
  const std::int64_t geometry = model.integer("double_geometry");
  expect(geometry == 0 || geometry == 1, "'double_geometry' to be 0 or 1, got " + std::to_string(geometry));
  has_double_geometry = geometry == 1;
  n_types = static_cast<std::int64_t>(model.integers("radial_start").size()) - 1;
  expect(n_types > 0, "a type or more");
  scaling = model.array("scaling");
  expect(scaling.dtype != DType::int64, "scaling of float64 or float32, got int64");
  const std::vector<std::int64_t> kinds = model.integers("activations");
  expect_range("layers", 1, kMostLayers, static_cast<std::int64_t>(kinds.size()));
  for (const std::int64_t kind : kinds) {
    expect_range("as an activation", 0, kActivations - 1, kind);
    activations.push_back(static_cast<ActivationKind>(kind));
  }
  expect(activations.back() == ActivationKind::linear, "a linear last layer, activation " +
                                                           std::to_string(static_cast<int>(ActivationKind::linear)) +
                                                           ", got " + std::to_string(kinds.back()));
  central.resize(n_types);
  read_radial(model);
  read_angular(model);
  std::int64_t n_inputs = 0;
  for (std::int64_t t = 0; t < n_types; ++t) {
    expect_range("functions of type " + std::to_string(t), 1, kMostFunctions, central[t].n_inputs());
    n_inputs += central[t].n_inputs();
    read_net(model, t);
  }
  scaling = model.array("scaling", dtype(), {n_inputs, 2});
  inputs_from = without_nets(model);
}

void Description::read_radial(const StoredModel &model) {
  const Array rows = model.array("radial", DType::float64, {-1, 3});
  const std::int64_t n_functions = rows.shape[0];
  const Array kinds = model.array("radial_kind", DType::int64, {n_functions});
  const Array weights = model.array("radial_weights", dtype(), {n_functions, n_types});
  const std::vector<std::int64_t> start = starts(model, "radial_start", n_types, n_functions);
  for (std::int64_t t = 0; t < n_types; ++t)
    for (std::int64_t f = start[t]; f < start[t + 1]; ++f) {
      RadialFunction function =
          radial_function(kinds.as<std::int64_t>()[f], rows.as<double>() + 3 * f, called("radial", f));
      for (std::int64_t k = 0; k < n_types; ++k) function.weights.push_back(real_at(weights, f * n_types + k));
      central[t].radial.push_back(function);
    }
}

void Description::read_angular(const StoredModel &model) {
  const Array rows = model.array("angular", DType::float64, {-1, 7});
  const std::int64_t n_functions = rows.shape[0];
  const Array kinds = model.array("angular_kind", DType::int64, {n_functions});
  const Array weights = model.array("angular_weights", dtype(), {n_functions, n_types, n_types});
  const std::vector<std::int64_t> start = starts(model, "angular_start", n_types, n_functions);
  for (std::int64_t t = 0; t < n_types; ++t)
    for (std::int64_t f = start[t]; f < start[t + 1]; ++f) {
      const std::int64_t kind = kinds.as<std::int64_t>()[f];
      AngularFunction function = angular_function(kind, rows.as<double>() + 7 * f, called("angular", f));
      const double factor = kind == kTriple ? 1 : 0.5;  // of pairs, not of ordered pairs
      for (std::int64_t a = 0; a < n_types; ++a)
        for (std::int64_t b = 0; b < n_types; ++b) {
          const double weight = real_at(weights, (f * n_types + a) * n_types + b);
          expect(kind == kTriple || weight == real_at(weights, (f * n_types + b) * n_types + a),
                 "weights of " + called("angular", f) + " that are symmetric in the neighbours");
          function.weights.push_back(factor * weight);
        }
      central[t].angular.push_back(function);
    }
}

void Description::read_net(const StoredModel &model, std::int64_t type) {
  CentralType &own = central[type];
  std::int64_t n_in = own.n_inputs();
  for (std::size_t l = 0; l < activations.size(); ++l) {
    const std::string name = "net." + std::to_string(type) + "." + std::to_string(l);
    own.weights.push_back(model.array(name + ".weight", dtype(), {-1, n_in}));
    const std::int64_t n_out = own.weights.back().shape[0];
    expect_range("neurons in '" + name + ".weight'", 1, l + 1 == activations.size() ? 1 : kMostNeurons, n_out);
    own.biases.push_back(model.array(name + ".bias", dtype(), {n_out}));
    own.widths.push_back(n_out);
    n_in = n_out;
  }
}

double Description::reach() const {
  double longest = 0;
  for (const CentralType &own : central) longest = std::max({longest, bp::reach(own.radial), bp::reach(own.angular)});
  return longest;
}

double reach(const std::vector<RadialFunction> &functions) {
  double longest = 0;
  for (const RadialFunction &f : functions) longest = std::max(longest, f.function.cutoff);
  return longest;
}

double reach(const std::vector<AngularFunction> &functions) {
  double longest = 0;
  for (const AngularFunction &f : functions) longest = std::max({longest, f.near[0].cutoff, f.near[1].cutoff});
  return longest;
}

}  // namespace pwmlff::bp
