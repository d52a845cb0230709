#include "bp/moment_plan.hpp"

#include <algorithm>
#include <cmath>

#include "harmonic_tables.hpp"

namespace pwmlff::bp {

namespace {

// Up to that l moments are faster than pairs from some 25 neighbours on.
constexpr int kLargestDegree = kLargestL;

// p_l and what is subtracted from them round to some 1e-16 of sum_j g^2, which is about 1: with it an input has an
// error of 1e-12 or less.
constexpr double kLargestFactor = 1e4;

// c_l of x^zeta for x = (1 + lambda c) / 2, from c P_l = [(l + 1) P_(l+1) + l P_(l-1)] / (2l + 1).
std::vector<double> legendre_factors(double lambda, int zeta) {
  std::vector<double> factors(zeta + 1, 0.0);
  factors[0] = 1;
  for (int power = 0; power < zeta; ++power) {
    std::vector<double> product(zeta + 1, 0.0);
    for (int l = 0; l <= power; ++l) {
      const double half = 0.5 * factors[l], share = lambda * half / (2 * l + 1);
      product[l] += half;
      product[l + 1] += (l + 1) * share;
      if (l > 0) product[l - 1] += l * share;
    }
    factors = product;
  }
  return factors;
}

std::int64_t place_of(const std::vector<Moments> &moments, const DistanceFunction &function) {
  const auto place =
      std::find_if(moments.begin(), moments.end(), [&](const Moments &each) { return each.function == function; });
  return place - moments.begin();
}

// Adds them if need be.
void provide_moments(std::vector<Moments> &moments, const DistanceFunction &function, int degree) {
  const std::int64_t place = place_of(moments, function);
  if (place == static_cast<std::int64_t>(moments.size())) moments.push_back({function, degree});
  moments[place].degree = std::max(moments[place].degree, degree);
}

// Calls visit(number of a function, a, b, weight of a pair of neighbours of these types) where that is not 0.
template <typename Visit>
void for_pairs_of_types(const std::vector<AngularFunction> &functions, const std::vector<std::int64_t> &numbers,
                        std::int64_t n_types, Visit visit) {
  for (const std::int64_t f : numbers)
    for (std::int64_t a = 0; a < n_types; ++a)
      for (std::int64_t b = a; b < n_types; ++b) {
        const std::vector<double> &weights = functions[f].weights;
        const double weight = 2 * (weights[a * n_types + b] + weights[b * n_types + a]);
        if (weight != 0) visit(f, a, b, weight);
      }
}

Spectrum &spectrum_of(std::vector<Spectrum> &spectra, const Spectrum &wanted) {
  for (Spectrum &each : spectra)
    if (std::equal(each.types, each.types + 2, wanted.types) &&
        std::equal(each.moments, each.moments + 2, wanted.moments))
      return each;
  return spectra.emplace_back(wanted);
}

}  // namespace

bool has_moments(const AngularFunction &function, double factor) {
  const bool is_power = function.has_angle && !function.has_third && function.near[0] == function.near[1] &&
                        function.zeta == std::floor(function.zeta) && function.zeta <= kLargestDegree;
  const double heaviest = *std::max_element(function.weights.begin(), function.weights.end(),
                                            [](double a, double b) { return std::abs(a) < std::abs(b); });
  return is_power && std::abs(factor * heaviest) <= kLargestFactor;
}

MomentPlan moment_plan(const std::vector<AngularFunction> &functions, const std::vector<std::int64_t> &numbers,
                       std::int64_t n_types, std::int64_t first_input) {
  MomentPlan plan;
  plan.by_type.resize(n_types);
  for_pairs_of_types(functions, numbers, n_types, [&](std::int64_t f, std::int64_t a, std::int64_t b, double) {
    for (const std::int64_t type : {a, b})
      provide_moments(plan.by_type[type], functions[f].near[0], static_cast<int>(functions[f].zeta));
  });
  for (std::vector<Moments> &moments : plan.by_type)
    std::stable_sort(moments.begin(), moments.end(),
                     [](const Moments &a, const Moments &b) { return a.degree > b.degree; });
  for_pairs_of_types(functions, numbers, n_types, [&](std::int64_t f, std::int64_t a, std::int64_t b, double weight) {
    const AngularFunction &function = functions[f];
    const int zeta = static_cast<int>(function.zeta);
    SpectrumTarget target{first_input + f, legendre_factors(function.lambda, zeta), 0};
    const double share = a == b ? 0.5 * weight : weight;
    for (double &each : target.factors) each *= share;
    if (a == b) target.factor_of_squares = -share * std::pow(0.5 + 0.5 * function.lambda, zeta);
    const Spectrum wanted{
        {a, b}, {place_of(plan.by_type[a], function.near[0]), place_of(plan.by_type[b], function.near[0])}, {}};
    spectrum_of(plan.spectra, wanted).targets.push_back(target);
  });
  return plan;
}

}  // namespace pwmlff::bp
