// Where the features of a pair come from: tables, or values that nets have left in memory.
//
// A source says where a pair's features are (`find`, by one thread), and gives feature m of such a place (by many).
#pragma once

#include <cmath>

#include "cuda/dp/device.hpp"
#include "dp/table.hpp"

namespace pwmlff::cuda {

// Number of the net or table of a pair.
__device__ inline std::int64_t net_of(const DpChunk &chunk, std::int64_t type, std::int64_t pair) {
  const std::int64_t kind = chunk.pair_types[pair];
  return chunk.has_net_per_pair ? type * chunk.n_types + kind : kind;
}

// G and dG/ds of an interval as in core/dp/table_features.hpp: with the weights of the powers found once for all
// features.
template <typename Real, int Terms>
struct TableSource {
  struct Place {
    const Real *coefficients;
    Real values[Terms], slopes[Terms];  // of power k; those of power 0 are 1 and 0
  };

  DeviceTables<Real> tables;

  __host__ __device__ std::int64_t n_features() const { return tables.n_features; }

  __device__ Place find(const DpChunk &chunk, std::int64_t type, std::int64_t pair, double x, bool is_counted) const {
    const std::int64_t net = net_of(chunk, type, pair);
    const double lower = tables.grids[3 * net], n_fine = tables.grids[3 * net + 1],
                 n_coarse = tables.grids[3 * net + 2];
    const double last = lower + tables.dx * (n_fine + dp::kCoarseWidth * n_coarse);
    if (is_counted && x > lower + tables.dx * n_fine) {
      count(0);
      if (x > last) count(1);
    }
    double inside = x < lower ? lower : x;
    inside = inside > last ? last : inside;
    const double steps = (inside - lower) * (1.0 / tables.dx);
    double interval = std::floor(steps < n_fine ? steps : n_fine + (steps - n_fine) * (1.0 / dp::kCoarseWidth));
    interval = interval > n_fine + n_coarse - 1 ? n_fine + n_coarse - 1 : interval;
    interval = interval >= 0.0 ? interval : 0.0;  // NaN ends here; it stays NaN in t
    const double node =
        lower + tables.dx * (interval < n_fine ? interval : n_fine + dp::kCoarseWidth * (interval - n_fine));
    const std::int64_t row = tables.first_interval[net] + static_cast<std::int64_t>(interval);
    return weighted(tables.coefficients + row * Terms * tables.n_features, static_cast<Real>(inside - node),
                    static_cast<Real>(x - inside));
  }

  __device__ Real value(const Place &place, std::int64_t m) const {
    const Real *c = place.coefficients + m;
    Real sum = c[0];
    for (int k = 1; k < Terms; ++k) sum += place.values[k] * c[k * tables.n_features];
    return sum;
  }

  __device__ void value_and_slope(const Place &place, std::int64_t m, Real &value, Real &slope) const {
    const Real *c = place.coefficients + m;
    value = c[0];
    slope = 0;
    for (int k = 1; k < Terms; ++k) {
      const Real coefficient = c[k * tables.n_features];
      value += place.values[k] * coefficient;
      slope += place.slopes[k] * coefficient;
    }
  }

 private:
  __device__ static Place weighted(const Real *coefficients, Real t, Real beyond) {
    Place place;
    place.coefficients = coefficients;
    Real power = 1;
    for (int k = 1; k < Terms; ++k) {
      place.values[k] = power * (t + Real(k) * beyond);
      place.slopes[k] = Real(k) * power;
      power *= t;
    }
    return place;
  }

  // Integers: the order of additions does not matter.
  __device__ void count(int which) const {
    atomicAdd(reinterpret_cast<unsigned long long *>(tables.overflows + which), 1ULL);
  }
};

template <typename Real>
struct StoredSource {
  struct Place {
    std::int64_t first;
  };

  DeviceFeatures<Real> features;

  __host__ __device__ std::int64_t n_features() const { return features.n_features; }

  __device__ Place find(const DpChunk &chunk, std::int64_t, std::int64_t pair, double, bool) const {
    return {(pair - chunk.first_pair) * features.n_features};
  }

  __device__ Real value(const Place &place, std::int64_t m) const { return features.values[place.first + m]; }

  __device__ void value_and_slope(const Place &place, std::int64_t m, Real &value, Real &slope) const {
    value = features.values[place.first + m];
    slope = features.slopes[place.first + m];
  }
};

}  // namespace pwmlff::cuda
