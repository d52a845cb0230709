// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_STORED_RUNNER_H
#define PWMLFF_STORED_RUNNER_H

#include "model_runner.h"

#include "torch/model.hpp"

#include <string>

namespace LAMMPS_NS {

// Runs a stored model by pwmlff's kernels for torch, which are there for GPUs too. Nothing of the
// file but its arrays is used, and no TorchScript.
class StoredRunner final : public ModelRunner {
 public:
  // throws std::runtime_error where there is no such device or no kernels for it
  StoredRunner(const ModelInput &input, int cuda);

  void evaluate(PairBlock &block, BlockResult &result) override;
  pwmlff::Overflows overflows() const override { return model_->overflows(); }
  void set_threads(int n_threads) override;
  std::string backend() const override;

 private:
  at::Device device_;
  c10::intrusive_ptr<pwmlff::Model> model_;
};

}    // namespace LAMMPS_NS

#endif
