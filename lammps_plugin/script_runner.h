// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_SCRIPT_RUNNER_H
#define PWMLFF_SCRIPT_RUNNER_H

#include "model_runner.h"

#include "shortest.hpp"

#include <torch/script.h>

#include <optional>
#include <string>

namespace LAMMPS_NS {

// Runs the TorchScript of a model that no kernels know; the only class that does. TorchScript is
// deprecated, and has the powers of the code in the file.
class ScriptRunner final : public ModelRunner {
 public:
  // throws std::runtime_error where torch refuses the file
  ScriptRunner(const ModelInput &input, int cuda);

  void evaluate(PairBlock &block, BlockResult &result) override;
  pwmlff::Overflows overflows() const override { return overflows_; }
  bool knows_shortest() const override { return shortest_.has_value(); }
  void set_threads(int n_threads) override;
  std::string backend() const override;

 private:
  void check_number_of_elements() const;
  void find_shortest();

  at::Device device_;
  torch::jit::Module module_;
  std::optional<pwmlff::ShortestDistances> shortest_;
  pwmlff::Overflows overflows_;    // never beyond tables, which belong to families
};

}    // namespace LAMMPS_NS

#endif
