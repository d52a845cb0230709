// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_SCRIPT_RUNNER_H
#define PWMLFF_SCRIPT_RUNNER_H

#include "model_runner.h"

#include <torch/script.h>

#include <string>

namespace LAMMPS_NS {

// Runs the TorchScript of a model that no kernels know; the only class that does. TorchScript is
// deprecated, and has the powers of the code in the file.
class ScriptRunner final : public ModelRunner {
 public:
  // throws std::runtime_error where torch refuses the file
  ScriptRunner(const ModelInput &input, int cuda);

  void evaluate(PairBlock &block, BlockResult &result) override;
  pwmlff::Overflows overflows() const override { return {}; }    // tables belong to families
  void set_threads(int n_threads) override;
  std::string backend() const override;

 private:
  void check_number_of_elements() const;

  at::Device device_;
  torch::jit::Module module_;
};

}    // namespace LAMMPS_NS

#endif
