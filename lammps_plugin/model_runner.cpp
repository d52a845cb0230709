// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_runner.h"

#include "library_beside.h"
#include "native_runner.h"
#include "torch_runner.h"

#include "families.hpp"

#include <stdexcept>
#include <utility>

using namespace LAMMPS_NS;

namespace {

// torch with its 100 MB is loaded by the first model that needs it
std::unique_ptr<ModelRunner> make_torch_runner(const ModelInput &input, int cuda)
{
  static TorchRunnerCreator *creator = nullptr;
  if (!creator) {
    void *const library = load_library_beside("libpwmlff_lammps_torch.so");
    if (library)
      creator = reinterpret_cast<TorchRunnerCreator *>(dlsym(library, TORCH_RUNNER_CREATOR));
  }
  if (!creator) {
    const char *reason = dlerror();
    throw std::runtime_error(std::string("it needs torch, whose library cannot be loaded: ") +
                             (reason ? reason : "it has no creator") +
                             "; `pwmlff info` tells more");
  }
  return std::unique_ptr<ModelRunner>(creator(input, cuda));
}

// Whoever computes, the arrays are checked here, all at once and with the same messages.
std::unique_ptr<const pwmlff::Evaluator> evaluator_of(const pwmlff::StoredModel &model,
                                                      const ModelMetadata &metadata)
{
  const std::string families = pwmlff::family_names();
  if (!pwmlff::has_family(model.family))
    throw std::runtime_error("it is of the family '" + model.family +
                             "', which this plugin does not know (it knows: " + families +
                             "); update pwmlff, or export the model again with this version's "
                             "`pwmlff export`");
  std::unique_ptr<const pwmlff::Evaluator> evaluator;
  try {
    evaluator = pwmlff::make_evaluator(model);
  } catch (const std::runtime_error &error) {
    refuse_arrays(error.what());
  }
  const pwmlff::Extent extent = pwmlff::extent(model);
  // an index beyond them would read foreign memory
  metadata.check_number_of_elements(extent.n_types);
  metadata.check_reach(extent.reach);
  return evaluator;
}

}    // namespace

std::unique_ptr<ModelRunner> LAMMPS_NS::make_model_runner(const ModelInput &input, Backend backend,
                                                          int cuda, bool trust)
{
  if (!input.stored()) {
    if (backend == Backend::NATIVE)
      throw std::runtime_error("backend native was asked for, but it has no native form (see the "
                               "manual of the pair style); use 'backend torch'");
    if (!trust)
      throw std::runtime_error("it is TorchScript of a " + input.metadata.model_type +
                               ", which pwmlff has no kernels for: a program that can do anything "
                               "you can; if you trust who wrote it, add 'trust yes' to pair_style");
    return make_torch_runner(input, cuda);
  }
  auto evaluator = evaluator_of(*input.stored(), input.metadata);
  if (backend == Backend::TORCH || cuda >= 0) return make_torch_runner(input, cuda);
  return std::make_unique<NativeRunner>(input.metadata, std::move(evaluator));
}
