// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_runner.h"

#include "exported_file.h"
#include "library_beside.h"
#include "native_runner.h"
#include "torch_runner.h"

#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

// torch with its 100 MB is loaded by the first model that needs it
std::unique_ptr<ModelRunner> make_torch_runner(const ExportedFile &file, int cuda)
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
  return std::unique_ptr<ModelRunner>(creator(file, cuda));
}

}    // namespace

std::unique_ptr<ModelRunner> LAMMPS_NS::make_model_runner(std::string content, Backend backend,
                                                          int cuda)
{
  const ExportedFile file(std::move(content));
  const bool has_native_form = file.metadata().has_native_form;
  if (backend == Backend::NATIVE && !has_native_form)
    throw std::runtime_error("backend native was asked for, but it has no native form (see the "
                             "manual of the pair style); use 'backend torch'");
  if (has_native_form && backend != Backend::TORCH && cuda < 0)
    return std::make_unique<NativeRunner>(file);
  return make_torch_runner(file, cuda);
}
