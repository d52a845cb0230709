#include "nep/description.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace pwmlff::nep {

namespace {

// What a thread works with is up to 32 atoms times products of these, so a small file cannot ask for much memory.
constexpr std::int64_t kMostFunctions = 64, kMostDescriptors = 1 << 12, kMostNeurons = 1 << 14;
constexpr std::int64_t kMostIntervals = 1 << 24;  // whose number is that of an int32

void expect(bool condition, const std::string &message) {
  if (!condition) throw std::runtime_error("the nep model expects " + message);
}

void expect_range(const std::string &what, std::int64_t least, std::int64_t most, std::int64_t found) {
  expect(least <= found && found <= most,
         std::to_string(least) + " to " + std::to_string(most) + " " + what + ", got " + std::to_string(found));
}

bool is_flag(std::int64_t number) {
  return number == 0 || number == 1;
}

}  // namespace

Description::Description(const StoredModel &model) {
  cutoff = model.array("cutoff", DType::float64, {-1, 2});
  n_types = cutoff.shape[0];
  expect(n_types > 0, "a type or more, got cutoffs of none");
  const double *radii = cutoff.as<double>();
  expect(std::all_of(radii, radii + cutoff.size(), [](double radius) { return radius > 0 && std::isfinite(radius); }),
         "cutoffs above 0");
  expect_range("as l_max", 0, kLargestL, model.integer("l_max"));
  l_max = static_cast<int>(model.integer("l_max"));
  const std::vector<std::int64_t> flags = model.integers("extras");
  expect(flags.size() == kExtras && std::all_of(flags.begin(), flags.end(), is_flag),
         std::to_string(kExtras) + " extras of 0 or 1");
  std::int64_t n_extras = 0;
  for (int x = 0; x < kExtras; ++x) {
    extras[x] = flags[x] == 1;
    n_extras += flags[x];
    expect(!extras[x] || kExtraLeastL[x] <= l_max, "an l_max of " + std::to_string(kExtraLeastL[x]) +
                                                       " or more for the invariant " + kExtraNames[x] + ", got " +
                                                       std::to_string(l_max));
  }
  const std::int64_t geometry = model.integer("double_geometry");
  expect(is_flag(geometry), "'double_geometry' to be 0 or 1, got " + std::to_string(geometry));
  has_double_geometry = geometry == 1;
  net = model.array("net");
  expect(dtype() != DType::int64, "a net of float64 or float32, got int64");
  has_tables = model.has("radial.table");
  radial = functions(model, "radial");
  angular = functions(model, "angular");
  expect(!has_tables || radial.shape[3] == angular.shape[3],
         "tables of one order, got " + shape_text(radial.shape) + " and " + shape_text(angular.shape));
  n_descriptors = n_functions(radial) + n_functions(angular) * (l_max + n_extras);
  expect_range("descriptors", 1, kMostDescriptors, n_descriptors);
  scaler = model.array("scaler", dtype(), {n_descriptors});
  net = model.array("net", dtype(), {n_types, -1});
  n_neurons = (net.shape[1] - 1) / (n_descriptors + 2);
  expect_range("neurons", 1, kMostNeurons, n_neurons);
  expect(net.shape[1] == n_neurons * (n_descriptors + 2) + 1,
         "nets of H (D + 2) + 1 numbers for D = " + std::to_string(n_descriptors) + " descriptors, got " +
             std::to_string(net.shape[1]));
}

Array Description::functions(const StoredModel &model, const std::string &name) const {
  if (has_tables) {
    const Array &result = model.array(name + ".table", dtype(), {n_types, n_types, -1, -1, -1});
    expect_range("intervals of the " + name + " tables", 1, kMostIntervals, result.shape[2]);
    expect(result.shape[3] == 4 || result.shape[3] == 6,
           name + " tables of 4 or 6 terms, got " + shape_text(result.shape));
    expect_range(name + " functions", 1, kMostFunctions, n_functions(result));
    return result;
  }
  const Array &result = model.array(name, dtype(), {n_types, n_types, -1, -1});
  expect_range(name + " functions", 1, kMostFunctions, n_functions(result));
  expect_range(name + " basis functions", 1, kMostFunctions, result.shape[3]);
  return result;
}

std::int64_t Description::n_functions(const Array &functions) const {
  return functions.shape[has_tables ? 4 : 2];
}

double Description::reach() const {
  const double *radii = cutoff.as<double>();
  return *std::max_element(radii, radii + cutoff.size());
}

}  // namespace pwmlff::nep
