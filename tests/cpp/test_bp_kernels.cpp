// The kernels of Behler-Parrinello nets for every instruction set of this processor: the same numbers from each, with
// and without what is kept for the weights, from moments and from triplets, and gradients by the weights by
// differences. That the numbers are right is shown against the twin, in tests/ops/test_bp.py.
#include "bp/model.hpp"
#include "evaluators.hpp"

using namespace pwmlff;

namespace {

constexpr std::int64_t kTypes = 2, kNeurons = 6;

using Kind = bp::DistanceFunction::Kind;

// How functions are made that can be both.
enum class Way { moments, triplets };

// Of each kind, and such as share products, powers and neither; different ones for the two types.
template <typename Real>
bp::CentralModel<Real> central_model(std::int64_t type, Way way) {
  std::vector<bp::RadialFunction> radial;
  for (const Kind kind : {Kind::cutoff, Kind::gaussian, Kind::cosine, Kind::piece})
    radial.push_back({{kind, 5.0, 1.0 + 0.5 * type, 2.0}, {1.0, kind == Kind::cosine ? 0.0 : 0.5}});
  std::vector<bp::AngularFunction> angular;
  for (const bool has_third : {false, true})
    for (const double eta : {0.02, 0.1, 0.3})
      for (const double zeta : {1.0, 4.0, 2.5, 8.0, 11.0}) {
        const bp::DistanceFunction near{Kind::gaussian, 4.5, eta, 0.5};
        const double weight = eta == 0.1 ? 0.0 : 0.3;
        if (type == 0 || eta == 0.02 || zeta == 4.0)
          angular.push_back(
              {{near, near}, near, has_third, true, eta == 0.3 ? -1.0 : 1.0, zeta, {0.2, 0.5, 0.5, weight}});
      }
  const bp::DistanceFunction a{Kind::piece, 4.0, 2.5, 1.5}, b{Kind::piece, 4.4, 3.0, 1.4};
  angular.push_back({{a, b}, a, true, false, 0.0, 0.0, {0.3, 0.7, 0.0, 0.2}});

  bp::CentralModel<Real> model;
  const auto n_inputs = static_cast<std::int64_t>(radial.size() + angular.size());
  model.radial = bp::radial_plans(radial, kTypes);
  std::vector<std::int64_t> with_moments, others;
  for (std::size_t f = 0; f < angular.size(); ++f)
    (way == Way::moments && bp::has_moments(angular[f], 1.0) ? with_moments : others).push_back(f);
  model.moments = bp::moment_plan(angular, with_moments, kTypes, static_cast<std::int64_t>(radial.size()));
  model.triplets = bp::triplet_plan(angular, others, kTypes, static_cast<std::int64_t>(radial.size()));
  model.radial_reach = 5.0;
  model.angular_reach = 4.5;
  model.shift.assign(n_inputs, Real(0.25));
  model.factor.assign(n_inputs, Real(0.5));
  model.widths = {kNeurons, 1};
  model.activations = {ActivationKind::tanh, ActivationKind::linear};
  const auto numbers = random_numbers<double>(net_parameter_count(n_inputs, model.widths), 3 + type);
  model.parameters.assign(numbers.begin(), numbers.end());
  for (std::int64_t layer = 0, end = 0, n_in = n_inputs; layer < 2; n_in = model.widths[layer++]) {
    end += model.widths[layer] * (n_in + 2);
    std::fill_n(model.parameters.begin() + end - model.widths[layer], model.widths[layer], Real(1));  // scale
  }
  return model;
}

template <typename Real>
bp::Model<Real> make_model(bool has_double_geometry, Way way = Way::moments) {
  return {{bp::CutoffKind::poly2, 0.1},
          {central_model<Real>(0, way), central_model<Real>(1, way)},
          has_double_geometry,
          "functions"};
}

}  // namespace

TEST_CASE("Behler-Parrinello nets have the same numbers from each instruction set and in each precision") {
  const auto make = [](auto number, bool has_double_geometry) {
    return make_model<decltype(number)>(has_double_geometry);
  };
  for (const std::int64_t most : {1, 7, 60}) {
    CAPTURE(most);
    check_same_numbers(make, Structure(kTypes, 30, most));
  }
}

TEST_CASE("moments have the numbers of triplets") {
  for (const std::int64_t most : {1, 2, 60}) {
    CAPTURE(most);
    const Structure structure(kTypes, 30, most);
    const Evaluators by_moments = all_evaluators(make_model<double>(true)),
                     by_triplets = all_evaluators(make_model<double>(true, Way::triplets));
    for (std::size_t isa = 0; isa < by_moments.size(); ++isa)
      for (const bool is_kept : {false, true}) {
        const Result expected = evaluate(*by_triplets[isa], structure, is_kept);
        const Result result = evaluate(*by_moments[isa], structure, is_kept);
        CHECK(difference(result.energies, expected.energies) < 1e-13 * largest(expected.energies));
        CHECK(difference(result.gradients, expected.gradients) < 1e-13 * largest(expected.gradients));
      }
  }
}

TEST_CASE("functions have moments where these keep their digits") {
  const bp::DistanceFunction near{Kind::gaussian, 4.5, 0.1, 0.0}, other{Kind::gaussian, 4.5, 0.2, 0.0};
  const auto function = [&](double zeta) {
    return bp::AngularFunction{{near, near}, near, false, true, -1.0, zeta, {1.0, 2.0, 2.0, 0.0}};
  };
  for (const double zeta : {1.0, 2.0, 8.0}) CHECK(bp::has_moments(function(zeta), 1.0));
  for (const double zeta : {1.5, 9.0, 1e300}) CHECK(!bp::has_moments(function(zeta), 1.0));
  for (const double factor : {4e3, -4e3}) CHECK(bp::has_moments(function(1.0), factor));
  for (const double factor : {6e3, -6e3}) CHECK(!bp::has_moments(function(1.0), factor));
  bp::AngularFunction changed = function(1.0);
  changed.has_third = true;
  CHECK(!bp::has_moments(changed, 1.0));
  changed = function(1.0);
  changed.near[1] = other;
  CHECK(!bp::has_moments(changed, 1.0));
}

TEST_CASE("a Behler-Parrinello net is evaluated from what one with the same functions has kept") {
  const Structure structure(kTypes, 30, 12);
  const bp::Model<double> model = make_model<double>(true);
  bp::Model<double> other = model;
  for (bp::CentralModel<double> &central : other.central)
    for (double &parameter : central.parameters) parameter *= 1.1;
  bp::Model<double> stranger = other;
  stranger.inputs_from = "other functions";
  const std::size_t n_isas = all_evaluators(model).size();
  for (std::size_t isa = 0; isa < n_isas; ++isa) {
    const auto evaluator = std::move(all_evaluators(model)[isa]), changed = std::move(all_evaluators(other)[isa]);
    CHECK(evaluator->keeps_as(*changed));
    CHECK(!evaluator->keeps_as(*all_evaluators(stranger)[isa]));
    CHECK(!evaluator->keeps_as(*all_evaluators(make_model<float>(true))[isa]));
    CHECK(!all_evaluators(make_model<float>(false))[isa]->keeps_as(*all_evaluators(make_model<float>(false))[isa]));
    const Result kept = evaluate(*evaluator, structure, true), expected = evaluate(*changed, structure, true);
    Result result = expected;
    std::fill(result.energies.begin(), result.energies.end(), NAN);
    std::fill(result.gradients.begin(), result.gradients.end(), NAN);
    changed->evaluate_kept(structure.pairs(), result.energies.data(), result.gradients.data(), kept.kept.data(), 0,
                           structure.n_atoms());
    CHECK(difference(kept.energies, expected.energies) > 1e-3);
    CHECK(result.energies == expected.energies);
    CHECK(result.gradients == expected.gradients);
  }
}

TEST_CASE("gradients of Behler-Parrinello nets are slopes of the energy") {
  check_slopes(make_model<double>(true), Structure(kTypes, 5, 12), 5, 1e-7);
}

TEST_CASE("gradients of Behler-Parrinello nets by the weights are slopes of sums of energies and gradients") {
  const Structure structure(kTypes, 20, 12);
  const std::int64_t n_atoms = structure.n_atoms(), n_pairs = structure.n_pairs();
  const std::vector<double> e = random_numbers<double>(3 * n_atoms, 4), c = random_numbers<double>(6 * n_pairs, 5);
  const Cotangents cotangents{n_atoms, n_pairs, 3, 2, e.data(), c.data()};
  bp::Model<double> model = make_model<double>(true);
  const std::size_t n_isas = all_evaluators(model).size();
  for (std::size_t isa = 0; isa < n_isas; ++isa) {
    const auto evaluator = std::move(all_evaluators(model)[isa]);
    const std::int64_t n = evaluator->n_weights();
    std::vector<double> rows(3 * n, NAN);
    const Result result = evaluate(*evaluator, structure, true);
    evaluator->differentiate(structure.pairs(), cotangents, result.kept.data(), rows.data(), 0, n_atoms);
    std::int64_t weight = 0;
    for (bp::CentralModel<double> &central : model.central) {
      std::int64_t parameter = 0, n_in = central.n_inputs();
      for (const std::int64_t n_out : central.widths) {
        for (std::int64_t i = 0; i < n_out * (n_in + 1); ++i, ++weight) {
          if (weight % 7 != 0) continue;
          double &number = central.parameters[parameter + i];
          const double at = number;
          for (std::int64_t k = 0; k < 3; ++k) {
            const auto sum = [&](double step) {
              number = at + step;
              return weighted_sum(evaluate(*all_evaluators(model)[isa], structure), cotangents, k);
            };
            CHECK(std::abs(slope(sum, 1e-3) - rows[k * n + weight]) < 1e-7 * (1 + std::abs(rows[k * n + weight])));
          }
          number = at;
        }
        parameter += n_out * (n_in + 2);
        n_in = n_out;
      }
    }
    CHECK(weight == n);
  }
}
