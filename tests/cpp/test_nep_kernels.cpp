// The kernels of NEP for every instruction set of this processor: the same numbers from each, and derivatives by
// differences. That the numbers are right is shown against the twin, in tests/ops/test_nep.py.
#include <type_traits>

#include "evaluators.hpp"
#include "nep/model.hpp"

using namespace pwmlff;

namespace {

struct Sizes {
  std::int64_t n_types;
  int l_max;
  bool has_extras;
  std::int64_t n_radial, k_radial, n_angular, k_angular, n_neurons;
};

// one and several vectors of functions, filled and not; types that are counted in a register and more
const Sizes kSizes[] = {
    {1, 4, false, 7, 7, 7, 7, 30}, {2, 0, false, 1, 1, 1, 1, 1},  {3, 4, true, 5, 9, 3, 4, 8},
    {2, 1, true, 8, 2, 8, 3, 5},   {9, 3, true, 3, 4, 2, 2, 4},   {2, 8, true, 17, 12, 9, 3, 33},
    {1, 2, true, 2, 3, 16, 8, 16}, {2, 5, false, 4, 1, 13, 1, 2}, {2, 6, true, 4, 5, 6, 7, 8},
    {2, 7, true, 4, 5, 6, 7, 8},
};

constexpr std::int64_t kIntervals[] = {9, 5};  // of tables

// With coefficients, or with tables of so many terms.
template <typename Real>
struct Arrays {
  Sizes sizes;
  std::int64_t n_terms;
  std::int64_t n_descriptors;
  std::vector<double> cutoff;
  std::vector<Real> radial, angular, net, scaler;
  std::array<bool, nep::kExtras> extras{};

  explicit Arrays(const Sizes &s, std::int64_t terms = 0) : sizes(s), n_terms(terms) {
    std::int64_t n_extras = 0;
    for (int x = 0; x < nep::kExtras; ++x) {
      extras[x] = s.has_extras && nep::kExtraLeastL[x] <= s.l_max;
      n_extras += extras[x];
    }
    n_descriptors = s.n_radial + s.n_angular * (s.l_max + n_extras);
    const std::int64_t n_pairs = s.n_types * s.n_types;
    for (std::int64_t t = 0; t < s.n_types; ++t) cutoff.insert(cutoff.end(), {5.0 - 0.2 * t, 3.5 + 0.1 * t});
    const auto per_function = [&](int kind, std::int64_t n_basis) {
      return terms > 0 ? kIntervals[kind] * terms : n_basis;
    };
    radial = random_numbers<Real>(n_pairs * s.n_radial * per_function(nep::kRadial, s.k_radial), 1);
    angular = random_numbers<Real>(n_pairs * s.n_angular * per_function(nep::kAngular, s.k_angular), 2);
    net = random_numbers<Real>(s.n_types * (s.n_neurons * (n_descriptors + 2) + 1), 3);
    scaler.assign(n_descriptors, Real(0.01));
  }

  nep::Model<Real> model(bool has_double_geometry) const {
    return {sizes.n_types,
            sizes.l_max,
            extras,
            cutoff.data(),
            {functions(radial.data(), sizes.n_radial, sizes.k_radial, kIntervals[0]),
             functions(angular.data(), sizes.n_angular, sizes.k_angular, kIntervals[1])},
            n_descriptors,
            sizes.n_neurons,
            net.data(),
            scaler.data(),
            has_double_geometry};
  }

  nep::Functions<Real> functions(const Real *numbers, std::int64_t n, std::int64_t n_basis,
                                 std::int64_t n_intervals) const {
    if (n_terms > 0) return {n, nullptr, 0, numbers, n_intervals, n_terms};
    return {n, numbers, n_basis, nullptr, 0, 0};
  }
};

constexpr std::int64_t kTerms[] = {0, 4, 6};

}  // namespace

TEST_CASE("NEP has the same numbers from each instruction set and in each precision") {
  for (const Sizes &sizes : kSizes)
    for (const std::int64_t n_terms : kTerms) {
      CAPTURE(sizes.l_max);
      CAPTURE(sizes.n_radial);
      CAPTURE(n_terms);
      const Arrays<double> arrays(sizes, n_terms);
      const Arrays<float> single(sizes, n_terms);
      const auto make = [&](auto number, bool has_double_geometry) {
        if constexpr (std::is_same_v<decltype(number), double>)
          return arrays.model(has_double_geometry);
        else
          return single.model(has_double_geometry);
      };
      check_same_numbers(make, Structure(sizes.n_types, 40, 30));
    }
}

TEST_CASE("NEP's gradients are slopes of its energy") {
  for (const Sizes &sizes : kSizes)
    for (const std::int64_t n_terms : kTerms) {  // tables jump between intervals, which no pair passes here
      CAPTURE(sizes.l_max);
      CAPTURE(n_terms);
      const Arrays<double> arrays(sizes, n_terms);
      check_slopes(arrays.model(true), Structure(sizes.n_types, 5, 12), 7, 1e-6);
    }
}

TEST_CASE("NEP's gradients by the weights are slopes of sums of energies and gradients") {
  for (const Sizes &sizes : kSizes) {
    CAPTURE(sizes.l_max);
    Arrays<double> arrays(sizes);
    const Structure structure(sizes.n_types, 20, 12);
    const std::int64_t n_atoms = structure.n_atoms(), n_pairs = structure.start.back();
    const std::vector<double> e = random_numbers<double>(3 * n_atoms, 4);
    const std::vector<double> c = random_numbers<double>(2 * 3 * n_pairs, 5);
    const Cotangents cotangents{n_atoms, n_pairs, 3, 2, e.data(), c.data()};
    const auto sum = [&](std::size_t isa, std::int64_t k) {
      return weighted_sum(evaluate(*all_evaluators(arrays.model(true))[isa], structure), cotangents, k);
    };
    for (std::size_t isa = 0; isa < all_evaluators(arrays.model(true)).size(); ++isa) {
      const auto evaluator = std::move(all_evaluators(arrays.model(true))[isa]);
      const auto n_weights =
          static_cast<std::int64_t>(arrays.radial.size() + arrays.angular.size() + arrays.net.size());
      REQUIRE(evaluator->n_weights() == n_weights);
      std::vector<double> rows(3 * n_weights, NAN);
      evaluator->differentiate(structure.pairs(), cotangents, nullptr, rows.data(), 0, n_atoms);
      std::mt19937 generator(8);
      for (int trial = 0; trial < 12; ++trial) {
        const std::int64_t k = trial % 3;
        std::vector<double> *const parts[] = {&arrays.radial, &arrays.angular, &arrays.net};
        std::int64_t weight = generator() % n_weights;
        if (trial % 4 < 2) weight %= static_cast<std::int64_t>(arrays.radial.size() + arrays.angular.size());
        const double found = rows[k * n_weights + weight];
        std::vector<double> *const *part = parts;
        while (weight >= static_cast<std::int64_t>((*part)->size()))
          weight -= static_cast<std::int64_t>((*part++)->size());
        double &number = (**part)[weight];
        const double at = number;
        const auto at_step = [&](double step) {
          number = at + step;
          return sum(isa, k);
        };
        CHECK(std::abs(slope(at_step, 1e-4) - found) < 1e-6 * (1 + std::abs(found) + largest(rows)));
        number = at;
      }
    }
  }
}
