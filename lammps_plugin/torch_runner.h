// SPDX-License-Identifier: GPL-2.0-or-later
//
// The door to the library that links torch.

#ifndef PWMLFF_TORCH_RUNNER_H
#define PWMLFF_TORCH_RUNNER_H

namespace LAMMPS_NS {

struct ModelInput;
class ModelRunner;

// `cuda` as in make_model_runner(); the runner is the caller's
using TorchRunnerCreator = ModelRunner *(const ModelInput &input, int cuda);
constexpr const char *TORCH_RUNNER_CREATOR = "pwmlff_create_torch_runner";

}    // namespace LAMMPS_NS

#endif
