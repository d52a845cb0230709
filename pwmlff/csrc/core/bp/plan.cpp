#include "bp/plan.hpp"

#include <algorithm>
#include <cmath>

namespace pwmlff::bp {

namespace {

// Larger ones are not worth a loop of products.
constexpr double kLargestWholeExponent = 1024;

Power power_of(const AngularFunction &function) {
  if (!function.has_angle) return {Power::Kind::one, 0, 0};
  const bool is_whole = function.zeta == std::floor(function.zeta) && function.zeta <= kLargestWholeExponent;
  return {is_whole ? Power::Kind::whole : Power::Kind::real, function.lambda, function.zeta};
}

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
          parts.push_back({product, place_in(pair.powers, power_of(function)), {first_input + f, weight}});
        };
        add(0, is_symmetric ? forward + backward : forward);
        if (!is_symmetric) add(1, backward);
      }
      pair.blocks = blocks_of(parts);
      if (!pair.blocks.empty()) plan.pairs.push_back(pair);
    }
  return plan;
}

}  // namespace pwmlff::bp
