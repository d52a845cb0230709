// SPDX-License-Identifier: GPL-2.0-or-later

#include "stored_runner.h"

#include "torch_tensors.h"

#include <ATen/Parallel.h>

#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

c10::intrusive_ptr<pwmlff::Model> model_of(const pwmlff::StoredModel &stored)
{
  try {
    return c10::make_intrusive<pwmlff::Model>(stored);
  } catch (const c10::Error &error) {
    throw std::runtime_error(first_sentence(error.what_without_backtrace()));
  }
}

}    // namespace

StoredRunner::StoredRunner(const ModelInput &input, int cuda)
    : ModelRunner(input.metadata), device_(torch_device(cuda)), model_(model_of(*input.stored()))
{
  // weights go to the device with the first atoms: what it lacks shows here, not in the first step
  PairBlock no_atoms;
  BlockResult nothing;
  no_atoms.clear();
  evaluate(no_atoms, nothing);
}

void StoredRunner::set_threads(int n_threads)
{
  at::set_num_threads(n_threads);
}

std::string StoredRunner::backend() const
{
  return torch_backend(device_);
}

void StoredRunner::evaluate(PairBlock &block, BlockResult &result)
{
  try {
    const BlockTensors in(block, device_);
    const auto [energies, gradients] =
        model_->evaluate(in.pair_vectors, in.pair_start, in.pair_types, in.atom_types);
    copy_result(energies, gradients, block, result);
  } catch (const c10::Error &error) {
    throw std::runtime_error(first_sentence(error.what_without_backtrace()));
  }
}
