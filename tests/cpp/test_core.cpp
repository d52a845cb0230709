// What the core has besides kernels: division of work, stored models, the short-range repulsion.
#include <algorithm>
#include <array>
#include <cmath>

#include "helpers.hpp"
#include "pieces.hpp"
#include "stored_model.hpp"
#include "zbl.hpp"

using namespace pwmlff;

namespace {

void check_bounds(const std::vector<std::int64_t> &bounds, std::int64_t n, std::int64_t n_threads) {
  REQUIRE(bounds.size() >= 2);
  CHECK(bounds.front() == 0);
  CHECK(bounds.back() == n);
  CHECK(static_cast<std::int64_t>(bounds.size()) <= n_threads + 1);
  for (std::size_t k = 1; k < bounds.size(); ++k) CHECK(bounds[k - 1] <= bounds[k]);
}

// Energy of the first of two atoms and its gradient, from one pair.
std::array<double, 4> repulsion(const Zbl &zbl, const std::array<double, 3> &vector) {
  const std::int64_t start[] = {0, 1, 1}, pair_types[] = {1}, atom_types[] = {0, 1};
  double energies[] = {0, 0}, gradients[] = {0, 0, 0};
  zbl.add({vector.data(), start, pair_types, atom_types}, energies, gradients, 0, 2);
  return {energies[0], gradients[0], gradients[1], gradients[2]};
}

// The gradient between these types is along the pair, by differences of the energy.
void check_slopes(const Zbl &zbl, const std::vector<double> &distances) {
  for (const double distance : distances) {
    const std::array<double, 3> along{0.6, 0.0, -0.8};
    const auto at = [&](double d) { return repulsion(zbl, {d * along[0], d * along[1], d * along[2]}); };
    const double expected = slope([&](double step) { return at(distance + step)[0]; }, 1e-4);
    const auto pair = at(distance);
    CHECK(pair[1] == doctest::Approx(expected * along[0]).epsilon(1e-6));
    CHECK(pair[2] == 0);
    CHECK(pair[3] == doctest::Approx(expected * along[2]).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("pieces of equal size cover everything") {
  for (const std::int64_t n : {0, 1, 7, 64, 1000})
    for (const std::int64_t smallest : {1, 10, 64})
      for (const std::int64_t n_threads : {1, 2, 5}) {
        const auto bounds = even_bounds(n, smallest, n_threads);
        check_bounds(bounds, n, n_threads);
        for (std::size_t k = 1; bounds.size() > 2 && k < bounds.size(); ++k)
          CHECK(bounds[k] - bounds[k - 1] >= smallest);
      }
}

TEST_CASE("pieces of atoms have about equally many pairs") {
  const std::vector<std::int64_t> lonely(6, 0), one{0, 90}, uneven{0, 0, 50, 51, 51, 100, 100};
  for (const auto &start : {lonely, one, uneven})
    for (const std::int64_t n_threads : {1, 2, 4}) {
      const auto n_atoms = static_cast<std::int64_t>(start.size()) - 1;
      check_bounds(pair_bounds(start.data(), n_atoms, 10, n_threads), n_atoms, n_threads);
    }
  CHECK(pair_bounds(uneven.data(), 6, 10, 2) == std::vector<std::int64_t>{0, 2, 6});
  const std::int64_t nothing[] = {0};
  check_bounds(pair_bounds(nothing, 0, 10, 4), 0, 4);
}

TEST_CASE("stored models hand out arrays that are what is asked for") {
  const double pi = 3.14, row[] = {1, 2, 3};
  const std::int64_t seven = 7;
  StoredModel model{"dp", {}};
  model.arrays["pi"] = {DType::float64, {}, &pi};
  model.arrays["seven"] = {DType::int64, {}, &seven};
  model.arrays["row"] = {DType::float64, {3}, row};
  CHECK(model.number("pi") == 3.14);
  CHECK(model.integer("seven") == 7);
  CHECK(model.numbers("row") == std::vector<double>{1, 2, 3});
  CHECK(model.array("row", DType::float64, {-1}).size() == 3);
  CHECK(model.array("pi").size() == 1);
  CHECK(model.has("row"));
  CHECK_FALSE(model.has("column"));

  CHECK(message_of([&] { model.array("column"); }) == "the dp model lacks the array 'column'");
  CHECK(message_of([&] { model.number("seven"); }) ==
        "the array 'seven' of the dp model is int64 [], expected float64 []");
  CHECK(message_of([&] { model.array("row", DType::float64, {-1, 3}); }) ==
        "the array 'row' of the dp model is float64 [3], expected float64 [n, 3]");
  CHECK(message_of([&] { model.integers("row"); }) ==
        "the array 'row' of the dp model is float64 [3], expected int64 [n]");
}

TEST_CASE("names of types") {
  for (const DType dtype : {DType::float32, DType::float64, DType::int64}) CHECK(dtype_of(dtype_name(dtype)) == dtype);
  CHECK(dtype_size(DType::float32) == 4);
  CHECK(dtype_size(DType::int64) == 8);
  CHECK_MESSAGE_HAS(message_of([] { dtype_of("float16"); }), "float16");
}

TEST_CASE("short-range repulsion") {
  const double range[] = {1.0, 2.0}, strength = 14.399645, charges[] = {29, 79};
  StoredModel model{"any", {}};
  model.arrays["repulsion.range"] = {DType::float64, {2}, range};
  model.arrays["repulsion.strength"] = {DType::float64, {}, &strength};
  model.arrays["repulsion.charges"] = {DType::float64, {2}, charges};
  CHECK(message_of([&] { Zbl(model, 3); }) == "the repulsion has 2 nuclear charges for 3 types");
  const Zbl zbl(model, 2);
  CHECK(zbl.reach() == 2.0);
  // half of Z_i Z_j e^2 / r phi, from the formula of Ziegler, Biersack and Littmark at 0.8 Å
  const double r = 0.8, x = 2.134563 * r * (std::pow(29, 0.23) + std::pow(79, 0.23));
  const double phi = 0.18175 * std::exp(-3.1998 * x) + 0.50986 * std::exp(-0.94229 * x) +
                     0.28022 * std::exp(-0.4029 * x) + 0.02817 * std::exp(-0.20162 * x);
  CHECK(repulsion(zbl, {0, 0, r})[0] == doctest::Approx(0.5 * strength * 29 * 79 / r * phi).epsilon(1e-12));
  check_slopes(zbl, {0.3, 0.999, 1.3, 1.97});
  for (const double number : repulsion(zbl, {0, 2.0, 0})) CHECK(number == 0);
  CHECK(std::abs(repulsion(zbl, {0, 1.99999, 0})[0]) < 1e-6);
}

TEST_CASE("short-range repulsion with a range and a screening of each pair of types") {
  const double ranges[] = {0, 3, 0.5, 1.6, 0.5, 1.6, 0, 0}, strength = 14.399645, charges[] = {29, 79};
  double screening[2 * 2 * 8] = {};
  const double own[] = {0.4, 3.0, 0.3, 0.9, 0.2, 0.4, 0.1, 0.2};
  std::copy(own, own + 8, screening + 8);  // of types 0 and 1
  StoredModel model{"any", {}};
  model.arrays["repulsion.range"] = {DType::float64, {2, 2, 2}, ranges};
  model.arrays["repulsion.screening"] = {DType::float64, {2, 2, 8}, screening};
  model.arrays["repulsion.strength"] = {DType::float64, {}, &strength};
  model.arrays["repulsion.charges"] = {DType::float64, {2}, charges};
  const Zbl zbl(model, 2);
  CHECK(zbl.reach() == 3.0);
  const double r = 0.9, x = 2.134563 * r * (std::pow(29, 0.23) + std::pow(79, 0.23));
  double phi = 0;
  for (int k = 0; k < 4; ++k) phi += own[2 * k] * std::exp(-own[2 * k + 1] * x);
  const double fading = 0.5 + 0.5 * std::cos(std::acos(-1.0) * (r - 0.5) / 1.1);
  CHECK(repulsion(zbl, {0, r, 0})[0] == doctest::Approx(0.5 * strength * 29 * 79 / r * phi * fading).epsilon(1e-12));
  check_slopes(zbl, {0.2, 0.499, 0.9, 1.58});
  for (const double number : repulsion(zbl, {0, 1.6, 0})) CHECK(number == 0);

  const double swapped[] = {0, 3, 0.5, 1.6, 1.6, 0.5, 0, 0};
  model.arrays["repulsion.range"].data = swapped;
  CHECK_MESSAGE_HAS(message_of([&] { Zbl(model, 2); }), "ranges from an inner to an outer radius");
  model.arrays["repulsion.range"] = {DType::float64, {2, 2}, ranges};
  CHECK_MESSAGE_HAS(message_of([&] { Zbl(model, 2); }), "expected float64 [2, 2, 2]");
}
