// Splits work over threads so that sums repeat: the pieces are fixed by the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pwmlff {

// Bounds of at most one piece per thread, each of at least `smallest` items.
inline std::vector<std::int64_t> even_bounds(std::int64_t n_items, std::int64_t smallest, std::int64_t n_threads) {
  const std::int64_t count = std::max<std::int64_t>(1, std::min(n_threads, n_items / smallest));
  std::vector<std::int64_t> bounds;
  for (std::int64_t task = 0; task <= count; ++task) bounds.push_back(n_items * task / count);
  return bounds;
}

// Bounds of pieces of atoms about equal in pairs, from the CSR offsets start [n_atoms + 1].
inline std::vector<std::int64_t> pair_bounds(const std::int64_t *start, std::int64_t n_atoms, std::int64_t smallest,
                                             std::int64_t n_threads) {
  const std::int64_t n_pairs = start[n_atoms];
  const std::int64_t count = std::max<std::int64_t>(1, std::min(n_threads, n_pairs / smallest));
  std::vector<std::int64_t> bounds{0};
  for (std::int64_t task = 1; task < count; ++task)
    bounds.push_back(
        std::max(bounds.back(), std::lower_bound(start, start + n_atoms + 1, n_pairs * task / count) - start));
  bounds.push_back(n_atoms);
  return bounds;
}

}  // namespace pwmlff
