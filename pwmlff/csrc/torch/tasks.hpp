// Splits work over threads so that sums repeat: the pieces are fixed by the number of threads, and partial results are
// added in their order.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pwmlff {

// Bounds of at most one piece per thread, each of at least `smallest` items.
inline std::vector<std::int64_t> even_bounds(std::int64_t n_items, std::int64_t smallest) {
  const std::int64_t count =
      std::max<std::int64_t>(1, std::min<std::int64_t>(at::get_num_threads(), n_items / smallest));
  std::vector<std::int64_t> bounds;
  for (std::int64_t task = 0; task <= count; ++task) bounds.push_back(n_items * task / count);
  return bounds;
}

// Bounds of pieces of atoms about equal in pairs, from the CSR offsets start [n_atoms + 1].
inline std::vector<std::int64_t> pair_bounds(const std::int64_t *start, std::int64_t n_atoms, std::int64_t smallest) {
  const std::int64_t n_pairs = start[n_atoms];
  const std::int64_t count =
      std::max<std::int64_t>(1, std::min<std::int64_t>(at::get_num_threads(), n_pairs / smallest));
  std::vector<std::int64_t> bounds{0};
  for (std::int64_t task = 1; task < count; ++task)
    bounds.push_back(
        std::max(bounds.back(), std::lower_bound(start, start + n_atoms + 1, n_pairs * task / count) - start));
  bounds.push_back(n_atoms);
  return bounds;
}

// Runs work(task, first, last) for each piece, in parallel.
template <typename Work>
void for_tasks(const std::vector<std::int64_t> &bounds, Work work) {
  at::parallel_for(0, static_cast<std::int64_t>(bounds.size()) - 1, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) work(task, bounds[task], bounds[task + 1]);
  });
}

// Undefined when not wanted.
inline at::Tensor zeros_if(bool wanted, at::IntArrayRef sizes, const at::Tensor &like) {
  return wanted ? at::zeros(sizes, like.options()) : at::Tensor();
}

// Null for an undefined tensor.
template <typename Real>
Real *pointer(const at::Tensor &tensor) {
  return tensor.defined() ? tensor.data_ptr<Real>() : nullptr;
}

// Row `task` of partial sums, null for an undefined tensor.
template <typename Real>
Real *partial_row(const at::Tensor &partial, std::int64_t task) {
  return partial.defined() ? partial.data_ptr<Real>() + task * partial.size(1) : nullptr;
}

inline at::Tensor sum_partial(const at::Tensor &partial) {
  return partial.defined() ? partial.sum(0) : at::Tensor();
}

}  // namespace pwmlff
