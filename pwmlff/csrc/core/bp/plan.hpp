// What is computed together of the symmetry functions of one central type.
//
// A radial function is a weighted sum over neighbours. An angular one, where moment_plan.hpp has nothing faster, is a
// weighted sum over pairs of neighbours (j, k),
//
//   sum_jk w a(r_ij) b(r_ik) t(r_jk) 2 x^zeta,  x = (1 + lambda cos theta) / 2
//
// or without t, or without the term of the angle. The distance functions a, b and t, the products a b t and the powers
// of x are found once for all angular functions that have them. A block holds the products that meet the same powers:
// its functions are a matrix products by powers, whose entries name where the sum is added.
#pragma once

#include <cstdint>
#include <vector>

#include "bp/distance_function.hpp"

namespace pwmlff::bp {

// An input of the net, and what the sum counts there.
struct Target {
  std::int64_t input;
  double weight;
};

// Radial functions that see neighbours of one type.
struct RadialPlan {
  std::vector<DistanceFunction> functions;
  std::vector<Target> targets;  // of each
};

// One row of powers: x^exponent, and beside it x^(exponent - 1).
struct Power {
  enum class Kind { one, whole, real };  // 1, or by the exponent

  Kind kind;
  double lambda, exponent;  // 0 and 0 of `one`

  friend bool operator==(const Power &a, const Power &b) { return a.lambda == b.lambda && a.exponent == b.exponent; }
};

// Of a pair of neighbours: functions a of j, b of k, and t, or -1.
struct Product {
  int near[2], third;

  friend bool operator==(const Product &a, const Product &b) {
    return a.near[0] == b.near[0] && a.near[1] == b.near[1] && a.third == b.third;
  }
};

struct Block {
  std::vector<int> powers;  // rows
  std::vector<Product> products;
  std::vector<Target> targets;  // [products, powers]
};

// Angular functions that see pairs of neighbours of two types, or of one; then pairs are taken once.
struct PairPlan {
  std::int64_t types[2];
  std::vector<DistanceFunction> thirds;
  std::vector<Power> powers;
  std::vector<Block> blocks;
};

struct TripletPlan {
  std::vector<DistanceFunction> near;  // a and b
  std::vector<PairPlan> pairs;
};

struct RadialFunction {
  DistanceFunction function;
  std::vector<double> weights;  // [T]
};

struct AngularFunction {
  DistanceFunction near[2], third;
  bool has_third, has_angle;
  double lambda, zeta;
  std::vector<double> weights;  // [T, T] by the types of j and k, of ordered pairs
};

// By neighbour type. Inputs are those of the functions in their order.
std::vector<RadialPlan> radial_plans(const std::vector<RadialFunction> &functions, std::int64_t n_types);

// Of the functions with these numbers; inputs begin with `first_input`.
TripletPlan triplet_plan(const std::vector<AngularFunction> &functions, const std::vector<std::int64_t> &numbers,
                         std::int64_t n_types, std::int64_t first_input);

}  // namespace pwmlff::bp
