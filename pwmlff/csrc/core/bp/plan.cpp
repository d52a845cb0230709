#include "bp/plan.hpp"

#include <algorithm>
#include <cmath>

namespace pwmlff::bp {

namespace {

// Larger ones are not worth a chain of products.
constexpr double kLargestIntegerExponent = 1024;

// The rows of powers of a plan, shared by its functions.
class Powers {
 public:
  int row(const AngularFunction &function) {
    if (!function.has_angle) return find_or_add({Power::Kind::one, 0, 0, 0, 0});
    const double zeta = function.zeta;
    const bool is_integer = zeta == std::floor(zeta) && zeta <= kLargestIntegerExponent;
    if (is_integer) return integer_row(function.lambda, static_cast<std::int64_t>(zeta));
    const int base = integer_row(function.lambda, 1);
    return find_or_add({Power::Kind::real, function.lambda, zeta, base, base});
  }

  std::vector<Power> rows;

 private:
  int find(double lambda, double exponent) const {
    for (std::size_t k = 0; k < rows.size(); ++k)
      if (rows[k].lambda == lambda && rows[k].exponent == exponent) return static_cast<int>(k);
    return -1;
  }

  int find_or_add(const Power &power) {
    const int place = find(power.lambda, power.exponent);
    if (place >= 0) return place;
    rows.push_back(power);
    return static_cast<int>(rows.size()) - 1;
  }

  // By a product of two powers that are there, or else by halves.
  int integer_row(double lambda, std::int64_t exponent) {
    if (exponent == 1) return find_or_add({Power::Kind::base, lambda, 1, 0, 0});
    const int place = find(lambda, static_cast<double>(exponent));
    if (place >= 0) return place;
    int left = -1, right = -1;
    for (std::size_t k = 0; k < rows.size() && right < 0; ++k) {
      if (rows[k].lambda != lambda || rows[k].kind == Power::Kind::real) continue;
      left = static_cast<int>(k);
      right = find(lambda, static_cast<double>(exponent) - rows[k].exponent);
      if (right >= 0 && rows[right].kind == Power::Kind::real) right = -1;
    }
    if (right < 0) {
      left = integer_row(lambda, exponent / 2);
      right = integer_row(lambda, exponent - exponent / 2);
    }
    rows.push_back({Power::Kind::product, lambda, static_cast<double>(exponent), left, right});
    return static_cast<int>(rows.size()) - 1;
  }
};

// A function as the pairs of two types see it.
struct Part {
  Product product;
  int power;
  Target target;
};

// Parts by product, then products by the powers that they meet.
std::vector<Block> blocks_of(const std::vector<Part> &parts) {
  std::vector<Product> products;
  for (const Part &part : parts) place_in(products, part.product);
  std::vector<Block> blocks;
  for (const Product &product : products) {
    std::vector<Part> own;
    for (const Part &part : parts)
      if (part.product == product) own.push_back(part);
    std::stable_sort(own.begin(), own.end(), [](const Part &a, const Part &b) { return a.power < b.power; });
    // two functions with the same product and power are two products
    while (!own.empty()) {
      std::vector<int> powers;
      std::vector<Target> targets;
      std::vector<Part> rest;
      for (const Part &part : own) {
        if (!powers.empty() && powers.back() == part.power) {
          rest.push_back(part);
          continue;
        }
        powers.push_back(part.power);
        targets.push_back(part.target);
      }
      auto block = std::find_if(blocks.begin(), blocks.end(), [&](const Block &b) { return b.powers == powers; });
      if (block == blocks.end()) block = blocks.insert(blocks.end(), {powers, {}, {}});
      block->products.push_back(product);
      block->targets.insert(block->targets.end(), targets.begin(), targets.end());
      own = rest;
    }
  }
  return blocks;
}

}  // namespace

std::vector<RadialPlan> radial_plans(const std::vector<RadialFunction> &functions, std::int64_t n_types) {
  std::vector<RadialPlan> plans(n_types);
  for (std::int64_t type = 0; type < n_types; ++type)
    for (std::size_t f = 0; f < functions.size(); ++f) {
      const double weight = functions[f].weights[type];
      if (weight == 0) continue;
      plans[type].functions.push_back(functions[f].function);
      plans[type].targets.push_back({static_cast<std::int64_t>(f), weight});
    }
  return plans;
}

TripletPlan triplet_plan(const std::vector<AngularFunction> &functions, const std::vector<std::int64_t> &numbers,
                         std::int64_t n_types, std::int64_t first_input) {
  TripletPlan plan;
  for (std::int64_t a = 0; a < n_types; ++a)
    for (std::int64_t b = a; b < n_types; ++b) {
      PairPlan pair{{a, b}, {}, {}, {}};
      Powers powers;
      std::vector<Part> parts;
      for (const std::int64_t f : numbers) {
        const AngularFunction &function = functions[f];
        const bool is_symmetric = function.near[0] == function.near[1];
        const double factor = function.has_angle ? 2 : 1;
        const double forward = factor * function.weights[a * n_types + b];
        const double backward = factor * function.weights[b * n_types + a];
        const auto add = [&](int own, double weight) {
          if (weight == 0) return;
          const Product product{{place_in(plan.near, function.near[own]), place_in(plan.near, function.near[1 - own])},
                                function.has_third ? place_in(pair.thirds, function.third) : -1};
          parts.push_back({product, powers.row(function), {first_input + f, weight}});
        };
        add(0, is_symmetric ? forward + backward : forward);
        if (!is_symmetric) add(1, backward);
      }
      pair.powers = powers.rows;
      pair.blocks = blocks_of(parts);
      if (!pair.blocks.empty()) plan.pairs.push_back(pair);
    }
  return plan;
}

}  // namespace pwmlff::bp
