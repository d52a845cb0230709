// Angular functions as products of sums over neighbours.
//
// G5 of a whole zeta takes x^zeta, a polynomial in the cosine of the angle between two neighbours j and k, and by the
// addition theorem of harmonic_tables.hpp
//
//   x^zeta = sum_l c_l P_l(cos theta_jk),  P_l(cos theta_jk) = 4 pi / (2l + 1) sum_m C_lm b_lm(j) b_lm(k)
//
// so that of the moments A_lm = sum_j g(r_j) b_lm(j) of neighbours of one type, and B_lm of those of another one,
//
//   sum_jk g(r_j) g(r_k) x^zeta = sum_l c_l p_l,  p_l = 4 pi / (2l + 1) sum_m C_lm A_lm B_lm
//
// Among neighbours of one type this counts each pair twice, and j = k, where x = (1 + lambda) / 2:
//
//   sum_{j<k} = [sum_l c_l p_l - ((1 + lambda) / 2)^zeta sum_j g(r_j)^2] / 2
//
// The time goes with the number of neighbours instead of its square. A sum p_l of many pairs may hide the few that
// matter, which is why all of this is float64 in any precision.
#pragma once

#include <cstdint>
#include <vector>

#include "bp/distance_function.hpp"
#include "bp/plan.hpp"

namespace pwmlff::bp {

// Of neighbours of one type: g, and the largest l.
struct Moments {
  DistanceFunction function;
  int degree;
};

// What an input takes of a spectrum.
struct SpectrumTarget {
  std::int64_t input;
  std::vector<double> factors;  // of p_0, p_1, ..
  double factor_of_squares;     // of sum_j g(r_j)^2
};

// The p_l of two moments, for neighbours of two types; those of one type have the same moments twice.
struct Spectrum {
  std::int64_t types[2], moments[2];  // the latter counted among those of the type
  std::vector<SpectrumTarget> targets;
};

struct MomentPlan {
  std::vector<std::vector<Moments>> by_type;  // [T], those of larger degree first
  std::vector<Spectrum> spectra;
};

// Whether moments serve a function well whose input of the net has this factor.
bool has_moments(const AngularFunction &function, double factor);

// Of the functions with these numbers; inputs begin with `first_input`.
MomentPlan moment_plan(const std::vector<AngularFunction> &functions, const std::vector<std::int64_t> &numbers,
                       std::int64_t n_types, std::int64_t first_input);

}  // namespace pwmlff::bp
