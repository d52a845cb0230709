// SPDX-License-Identifier: GPL-2.0-or-later

#include "native_runner.h"

#include "model_digest.h"

#include "isa.hpp"
#include "pieces.hpp"

#include <exception>
#include <stdexcept>

using namespace LAMMPS_NS;

NativeRunner::NativeRunner(const ExportedFile &file) : ModelRunner(file.metadata())
{
  const NativeForm form = NativeForm::read(file);
  check_digest(file.metadata_text(), form.bytes, file.digest());
  evaluator_ = form.network.make_evaluator();
  energy_shift_ = form.energy_shift;
  repulsion_ = form.repulsion;
  // an index beyond them would read foreign memory
  metadata().check_number_of_elements(static_cast<std::size_t>(form.network.n_types()));
  metadata().check_number_of_elements(energy_shift_.size());
  if (repulsion_)
    metadata().check_number_of_elements(static_cast<std::size_t>(repulsion_->n_types()));
}

std::string NativeRunner::backend() const
{
  return std::string("native kernels ") + pwmlff::isa_name(pwmlff::processor_isa());
}

void NativeRunner::evaluate(PairBlock &block, BlockResult &result)
{
  result.atomic_energies.resize(block.n_atoms());
  result.pair_gradients.resize(3 * block.n_pairs());
  const pwmlff::DpPairs pairs{block.pair_vectors.data(), block.pair_start.data(),
                              block.pair_types.data(), block.atom_types.data()};
  run_tasks(pairs,
            pwmlff::pair_bounds(pairs.start, static_cast<std::int64_t>(block.n_atoms()),
                                pwmlff::kDpPairsPerTask, n_threads_),
            result);
  for (std::size_t n = 0; n < block.n_atoms(); n++)
    result.atomic_energies[n] += energy_shift_[block.atom_types[n]];
}

void NativeRunner::run_tasks(const pwmlff::DpPairs &pairs, const std::vector<std::int64_t> &bounds,
                             BlockResult &result)
{
  double *const energies = result.atomic_energies.data();
  double *const gradients = result.pair_gradients.data();
  const int n_tasks = static_cast<int>(bounds.size()) - 1;
  std::vector<pwmlff::TableOverflows> found(n_tasks);
  std::exception_ptr failure;    // must not leave the parallel region
#pragma omp parallel for schedule(static) num_threads(n_tasks)
  for (int task = 0; task < n_tasks; task++) {
    try {
      const std::int64_t first = bounds[task], last = bounds[task + 1];
      found[task] = evaluator_->evaluate(pairs, energies, gradients, first, last);
      if (repulsion_) repulsion_->add(pairs, energies, gradients, first, last);
    } catch (...) {
#pragma omp critical(pwmlff_failure)
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  for (const pwmlff::TableOverflows &count : found) {
    overflows_.nearer += count.unseen;
    overflows_.beyond += count.beyond;
  }
}
