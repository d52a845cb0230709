// Functions of one distance, of which all symmetry functions are made: of a neighbour's, or of that between two.
//
//   cutoff    f_c(r)
//   gaussian  exp(-first (r - second)^2) f_c(r)
//   cosine    cos(first r) f_c(r)
//   piece     [1 + cos(pi (r - first) / second)] / 2 where |r - first| < second, else 0
#pragma once

#include <tuple>
#include <vector>

namespace pwmlff::bp {

// With x = (r - r_i) / (r_c - r_i), r_i = inner_fraction r_c: 1 below r_i and 0 from r_c on, between them
enum class CutoffKind {
  hard = 0,             // 1
  cosine = 1,           // (1 + cos(pi x)) / 2
  tanh_cubed = 2,       // tanh^3(1 - r / r_c)
  tanh_cubed_unit = 3,  // the same, 1 at r = 0
  bump = 4,             // exp(1 - 1 / (1 - x^2))
  poly1 = 5,            // polynomials of degree 3, 5, 7 and 9, whose first 1 to 4 derivatives vanish at both ends
  poly2 = 6,
  poly3 = 7,
  poly4 = 8,
};
constexpr int kCutoffKinds = 9;

struct CutoffFunction {
  CutoffKind kind;
  double inner_fraction;  // of kinds that have x
};

struct DistanceFunction {
  enum class Kind { cutoff, gaussian, cosine, piece };

  Kind kind;
  double cutoff;  // Å, where it ends
  double first, second;

  friend bool operator==(const DistanceFunction &a, const DistanceFunction &b) {
    return std::tie(a.kind, a.cutoff, a.first, a.second) == std::tie(b.kind, b.cutoff, b.first, b.second);
  }
};

// The place of an entry in a list without repetitions, to which it is added if need be.
template <typename Entry>
int place_in(std::vector<Entry> &list, const Entry &entry) {
  int place = 0;
  for (const Entry &other : list) {
    if (other == entry) return place;
    ++place;
  }
  list.push_back(entry);
  return place;
}

}  // namespace pwmlff::bp
