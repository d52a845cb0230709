// Splits the work of torch ops over torch's threads, and adds partial results in the order of the pieces.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstdint>
#include <vector>

#include "kernel.hpp"
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

// A sum to which all pieces add, each in a row of its own.
class PartialSums {
 public:
  PartialSums(const std::vector<std::int64_t> &bounds, std::int64_t size, const at::Tensor &like)
      : rows_(at::zeros({static_cast<std::int64_t>(bounds.size()) - 1, size}, like.options())) {}

  template <typename Real>
  Real *row(std::int64_t task) const {
    return rows_.data_ptr<Real>() + task * rows_.size(1);
  }

  at::Tensor total() const { return rows_.sum(0); }

 private:
  at::Tensor rows_;  // [tasks, size]
};

// Runs a kernel, one of whose arguments is a sum, on all pieces.
template <typename Kernel, typename Real>
void run_tasks(const std::vector<std::int64_t> &bounds, const Kernel &kernel, Real *Kernel::*sum,
               const PartialSums &sums) {
  for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
    Kernel own = kernel;
    own.*sum = sums.row<Real>(task);
    run(own, first, last);
  });
}

}  // namespace pwmlff
