// Splits the work of torch ops over torch's threads, and adds partial results in the order of the pieces.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>
#include <vector>

#include "pieces.hpp"

namespace pwmlff {

// See pieces.hpp; as many as torch has threads.
inline std::vector<std::int64_t> even_bounds(std::int64_t n_items, std::int64_t smallest) {
  return even_bounds(n_items, smallest, at::get_num_threads());
}

inline std::vector<std::int64_t> pair_bounds(const std::int64_t *start, std::int64_t n_atoms, std::int64_t smallest) {
  return pair_bounds(start, n_atoms, smallest, at::get_num_threads());
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
