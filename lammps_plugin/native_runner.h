// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_NATIVE_RUNNER_H
#define PWMLFF_NATIVE_RUNNER_H

#include "exported_file.h"
#include "model_runner.h"
#include "native_form.h"

#include "dp.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace LAMMPS_NS {

// Runs a Deep Potential by the kernels that are linked into this library, without torch.
class NativeRunner final : public ModelRunner {
 public:
  explicit NativeRunner(const ExportedFile &file);

  void evaluate(PairBlock &block, BlockResult &result) override;
  TableOverflows table_overflows() const override { return overflows_; }
  void set_threads(int n_threads) override { n_threads_ = n_threads; }
  std::string backend() const override;

 private:
  void run_tasks(const pwmlff::DpPairs &pairs, const std::vector<std::int64_t> &bounds,
                 BlockResult &result);

  std::unique_ptr<const pwmlff::DpEvaluator> evaluator_;
  std::vector<double> energy_shift_;    // by model type, eV
  std::optional<pwmlff::Zbl> repulsion_;
  TableOverflows overflows_;
  int n_threads_ = 1;
};

}    // namespace LAMMPS_NS

#endif
