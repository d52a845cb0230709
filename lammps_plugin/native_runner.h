// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_NATIVE_RUNNER_H
#define PWMLFF_NATIVE_RUNNER_H

#include "model_runner.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

// Runs a stored model by the kernels that are linked into this library, without torch.
class NativeRunner final : public ModelRunner {
 public:
  NativeRunner(ModelMetadata metadata, std::unique_ptr<const pwmlff::Evaluator> evaluator);

  void evaluate(PairBlock &block, BlockResult &result) override;
  pwmlff::Overflows overflows() const override { return overflows_; }
  void set_threads(int n_threads) override { n_threads_ = n_threads; }
  std::string backend() const override;

 private:
  void run_tasks(const pwmlff::Pairs &pairs, const std::vector<std::int64_t> &bounds,
                 BlockResult &result);

  const std::unique_ptr<const pwmlff::Evaluator> evaluator_;
  pwmlff::Overflows overflows_;
  int n_threads_ = 1;
};

}    // namespace LAMMPS_NS

#endif
