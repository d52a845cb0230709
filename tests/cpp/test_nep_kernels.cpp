// The kernels of NEP for every instruction set of this processor: the same numbers from each, and derivatives by
// differences. That the numbers are right is shown against the twin, in tests/ops/test_nep.py.
#include <algorithm>
#include <cmath>
#include <memory>

#include "helpers.hpp"
#include "kernel.hpp"
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

struct Structure {
  std::vector<double> vectors;
  std::vector<std::int64_t> start{0}, pair_types, atom_types;

  // Atoms with 0 to `most` pairs of up to 6 Å.
  Structure(std::int64_t n_types, std::int64_t n_atoms, std::int64_t most) {
    std::mt19937 generator(7);
    std::uniform_real_distribution<double> number(-1.0, 1.0);
    for (std::int64_t i = 0; i < n_atoms; ++i) {
      const std::int64_t n = i == 1 ? 0 : generator() % (most + 1);
      for (std::int64_t e = 0; e < n; ++e) {
        const double v[3] = {number(generator), number(generator), number(generator)};
        const double length = 3.5 + 2.5 * number(generator), norm = std::hypot(v[0], v[1], v[2]);
        for (const double c : v) vectors.push_back(length / norm * c);
        pair_types.push_back(generator() % n_types);
      }
      start.push_back(static_cast<std::int64_t>(pair_types.size()));
      atom_types.push_back(generator() % n_types);
    }
  }

  std::int64_t n_atoms() const { return static_cast<std::int64_t>(atom_types.size()); }
  Pairs pairs() const { return {vectors.data(), start.data(), pair_types.data(), atom_types.data()}; }
};

struct Result {
  std::vector<double> energies, gradients;

  double sum() const {
    double total = 0;
    for (const double energy : energies) total += energy;
    return total;
  }
};

Result evaluate(const Evaluator &evaluator, const Structure &structure) {
  Result result{std::vector<double>(structure.n_atoms(), NAN), std::vector<double>(structure.vectors.size(), NAN)};
  evaluator.evaluate(structure.pairs(), result.energies.data(), result.gradients.data(), nullptr, 0,
                     structure.n_atoms());
  return result;
}

double largest(const std::vector<double> &numbers) {
  double most = 0;
  for (const double number : numbers) most = std::max(most, std::abs(number));
  return most;
}

double difference(const std::vector<double> &a, const std::vector<double> &b) {
  double most = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!(std::abs(a[k] - b[k]) <= most)) most = std::abs(a[k] - b[k]);
  }
  return most;
}

using Evaluators = std::vector<std::unique_ptr<const Evaluator>>;

template <typename Real>
Evaluators all_evaluators(const nep::Model<Real> &model) {
  Evaluators result;
#if defined(__x86_64__)
  result.push_back(make_compiled<Isa::v2>(model));
  if (processor_isa() >= Isa::v3) result.push_back(make_compiled<Isa::v3>(model));
  if (processor_isa() >= Isa::v4) result.push_back(make_compiled<Isa::v4>(model));
#else
  result.push_back(make_compiled<Isa::generic>(model));
#endif
  return result;
}

}  // namespace

TEST_CASE("NEP has the same numbers from each instruction set and in each precision") {
  for (const Sizes &sizes : kSizes)
    for (const std::int64_t n_terms : kTerms) {
      CAPTURE(sizes.l_max);
      CAPTURE(sizes.n_radial);
      CAPTURE(n_terms);
      const Arrays<double> arrays(sizes, n_terms);
      const Arrays<float> single(sizes, n_terms);
      const Structure structure(sizes.n_types, 40, 30);
      const Evaluators evaluators = all_evaluators(arrays.model(true));
      const Result expected = evaluate(*evaluators.front(), structure);
      const double scale = largest(expected.gradients);
      CHECK(scale > 0);
      for (const auto &evaluator : evaluators) {
        const Result result = evaluate(*evaluator, structure);
        CHECK(difference(result.energies, expected.energies) < 1e-12 * largest(expected.energies));
        CHECK(difference(result.gradients, expected.gradients) < 1e-12 * scale);
      }
      for (const bool has_double_geometry : {true, false})
        for (const auto &evaluator : all_evaluators(single.model(has_double_geometry))) {
          const Result result = evaluate(*evaluator, structure);
          CHECK(difference(result.energies, expected.energies) < 1e-4 * largest(expected.energies));
          CHECK(difference(result.gradients, expected.gradients) < 1e-4 * scale);
        }
    }
}

TEST_CASE("NEP's gradients are slopes of its energy") {
  for (const Sizes &sizes : kSizes)
    for (const std::int64_t n_terms : kTerms) {  // tables jump between intervals, which no pair passes here
      CAPTURE(sizes.l_max);
      CAPTURE(n_terms);
      const Arrays<double> arrays(sizes, n_terms);
      Structure structure(sizes.n_types, 5, 12);
      for (const auto &evaluator : all_evaluators(arrays.model(true))) {
        const Result result = evaluate(*evaluator, structure);
        for (std::size_t k = 0; k < structure.vectors.size(); k += 7) {
          const double at = structure.vectors[k];
          const auto energy = [&](double step) {
            structure.vectors[k] = at + step;
            return evaluate(*evaluator, structure).sum();
          };
          CHECK(std::abs(slope(energy, 1e-4) - result.gradients[k]) < 1e-6 * (1 + largest(result.gradients)));
          structure.vectors[k] = at;
        }
      }
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
      const Result result = evaluate(*all_evaluators(arrays.model(true))[isa], structure);
      double total = 0;
      for (std::int64_t i = 0; i < n_atoms; ++i) total += e[k * n_atoms + i] * result.energies[i];
      for (std::int64_t i = 0; k < 2 && i < 3 * n_pairs; ++i) total += c[k * 3 * n_pairs + i] * result.gradients[i];
      return total;
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
