// An invariant of invariants.hpp that is a sum of products of three or four s_lm, and its derivatives.
//
// Number is Real, or a vector of such for several functions n at once. Loops are unrolled, so that places and factors
// become constants.
#pragma once

#include "inline.hpp"
#include "nep/invariants.hpp"

namespace pwmlff::nep {

// Functions s and s1 give a number by its place; add(place, number) adds to one.
template <typename Real, typename Number, const auto &products>
struct ExtraInvariant {
  template <typename Sums>
  PWMLFF_INLINE static Number value(Sums s) {
    constexpr auto terms = products;  // a copy, since a GPU does not see constants outside of functions
    Number sum = {};
    PWMLFF_UNROLL(32)
    for (int i = 0; i < terms.count; ++i) sum += without(terms.of[i], kFactors, s) * Real(terms.of[i].factor);
    return sum;
  }

  // Its change where s changes by s1.
  template <typename Sums, typename Changes>
  PWMLFF_INLINE static Number change(Sums s, Changes s1) {
    constexpr auto terms = products;
    Number sum = {};
    PWMLFF_UNROLL(32)
    for (int i = 0; i < terms.count; ++i) PWMLFF_UNROLL(4)
    for (int own = 0; own < kFactors; ++own) {
      if (terms.of[i].places[own] < 0) continue;
      const Number factor = Real(terms.of[i].factor) * s1(terms.of[i].places[own]);
      sum += factor * without(terms.of[i], own, s);
    }
    return sum;
  }

  // Adds to dE/ds what it gets through this invariant.
  template <typename Sums, typename Add>
  PWMLFF_INLINE static void differentiate(Sums s, Number by_q, Add add) {
    constexpr auto terms = products;
    PWMLFF_UNROLL(32)
    for (int i = 0; i < terms.count; ++i) {
      const Number factor = Real(terms.of[i].factor) * by_q;
      PWMLFF_UNROLL(4)
      for (int own = 0; own < kFactors; ++own)
        if (terms.of[i].places[own] >= 0) add(terms.of[i].places[own], factor * without(terms.of[i], own, s));
    }
  }

  // Adds the change of what `differentiate` adds.
  template <typename Sums, typename Changes, typename Add>
  PWMLFF_INLINE static void differentiate_change(Sums s, Changes s1, Number by_q, Add add) {
    constexpr auto terms = products;
    PWMLFF_UNROLL(32)
    for (int i = 0; i < terms.count; ++i) {
      const Number factor = Real(terms.of[i].factor) * by_q;
      PWMLFF_UNROLL(4)
      for (int own = 0; own < kFactors; ++own) {
        if (terms.of[i].places[own] < 0) continue;
        Number sum = {};
        PWMLFF_UNROLL(4)
        for (int other = 0; other < kFactors; ++other) {
          if (other == own || terms.of[i].places[other] < 0) continue;
          sum += s1(terms.of[i].places[other]) * without(terms.of[i], own, s, other);
        }
        add(terms.of[i].places[own], factor * sum);
      }
    }
  }

 private:
  static constexpr int kFactors = 4;

  // The product of the s but one or two of them; 1 is never left.
  template <typename Sums>
  PWMLFF_INLINE static Number without(const Product &product, int own, Sums s, int other = -1) {
    Number result = {};
    bool is_first = true;
    PWMLFF_UNROLL(4)
    for (int k = 0; k < kFactors; ++k) {
      if (k == own || k == other || product.places[k] < 0) continue;
      const Number factor = s(product.places[k]);
      result = is_first ? factor : result * factor;
      is_first = false;
    }
    return result;
  }
};

// Calls function(ExtraInvariant) for those that are on, in their order in the descriptor.
template <typename Real, typename Number, typename Function>
PWMLFF_INLINE void for_each_extra(const bool *extras, Function function) {
  if (extras[0]) function(ExtraInvariant<Real, Number, k222>());
  if (extras[1]) function(ExtraInvariant<Real, Number, k1111>());
  if (extras[2]) function(ExtraInvariant<Real, Number, k112>());
  if (extras[3]) function(ExtraInvariant<Real, Number, k123>());
  if (extras[4]) function(ExtraInvariant<Real, Number, k233>());
  if (extras[5]) function(ExtraInvariant<Real, Number, k134>());
}

}  // namespace pwmlff::nep
