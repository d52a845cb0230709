// SPDX-License-Identifier: GPL-2.0-or-later

#include "native_runner.h"

#include "isa.hpp"
#include "pieces.hpp"

#include <exception>
#include <utility>

using namespace LAMMPS_NS;

NativeRunner::NativeRunner(ModelMetadata metadata,
                           std::unique_ptr<const pwmlff::Evaluator> evaluator)
    : ModelRunner(std::move(metadata)), evaluator_(std::move(evaluator))
{
}

std::string NativeRunner::backend() const
{
  return std::string("native kernels ") + pwmlff::isa_name(pwmlff::processor_isa());
}

void NativeRunner::evaluate(PairBlock &block, BlockResult &result)
{
  result.atomic_energies.resize(block.n_atoms());
  result.pair_gradients.resize(3 * block.n_pairs());
  const pwmlff::Pairs pairs{block.pair_vectors.data(), block.pair_start.data(),
                            block.pair_types.data(), block.atom_types.data()};
  run_tasks(pairs,
            pwmlff::pair_bounds(pairs.start, static_cast<std::int64_t>(block.n_atoms()),
                                pwmlff::kPairsPerTask, n_threads_),
            result);
}

void NativeRunner::run_tasks(const pwmlff::Pairs &pairs, const std::vector<std::int64_t> &bounds,
                             BlockResult &result)
{
  double *const energies = result.atomic_energies.data();
  double *const gradients = result.pair_gradients.data();
  const int n_tasks = static_cast<int>(bounds.size()) - 1;
  std::vector<pwmlff::Overflows> counts(n_tasks);
  std::exception_ptr failure;    // must not leave the parallel region
#pragma omp parallel for schedule(static) num_threads(n_tasks)
  for (int task = 0; task < n_tasks; task++) {
    try {
      counts[task] =
          evaluator_->evaluate(pairs, energies, gradients, nullptr, bounds[task], bounds[task + 1]);
    } catch (...) {
#pragma omp critical(pwmlff_failure)
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  for (const pwmlff::Overflows &count : counts) overflows_ += count;
}
