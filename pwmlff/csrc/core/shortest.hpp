// Counts pairs that are nearer than any of their elements were in the training data, the twin of
// ops/reference/shortest.py.
#pragma once

#include <cstdint>
#include <vector>

#include "pairs.hpp"
#include "stored_model.hpp"

namespace pwmlff {

// A pair counts as nearer by more than this part of the distance: files round positions.
constexpr double kShortestMargin = 1e-6;

class ShortestDistances {
 public:
  // From the array `shortest` of families.hpp; throws std::runtime_error where it is not [T, T].
  ShortestDistances(const StoredModel &model, std::int64_t n_types)
      : ShortestDistances(model.array("shortest", DType::float64, {n_types, n_types}).as<double>(), n_types) {}

  // From distances [T, T].
  ShortestDistances(const double *distances, std::int64_t n_types) : n_types_(n_types) {
    for (std::int64_t k = 0; k < n_types * n_types; ++k) {
      const double limit = (1.0 - kShortestMargin) * distances[k];
      squares_.push_back(limit * limit);
    }
  }

  // Of the atoms first..last; a pair of elements whose distance is 0 has none.
  std::int64_t count_nearer(const Pairs &pairs, std::int64_t first, std::int64_t last) const {
    std::int64_t n_nearer = 0;
    for (std::int64_t i = first; i < last; ++i) {
      const double *squares = squares_.data() + pairs.atom_types[i] * n_types_;
      for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) {
        const double *r = pairs.vectors + 3 * e;
        n_nearer += r[0] * r[0] + r[1] * r[1] + r[2] * r[2] < squares[pairs.pair_types[e]];
      }
    }
    return n_nearer;
  }

  const std::vector<double> &squares() const { return squares_; }  // [T, T] Å^2, below which a pair is nearer

 private:
  std::int64_t n_types_;
  std::vector<double> squares_;
};

}  // namespace pwmlff
