// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs a model on a block of atoms: by the kernels of this library where it can, which takes little
// memory, otherwise by torch.

#ifndef PWMLFF_MODEL_RUNNER_H
#define PWMLFF_MODEL_RUNNER_H

#include "model_input.h"
#include "model_metadata.h"
#include "pair_block.h"

#include "evaluator.hpp"

#include <memory>
#include <string>
#include <utility>

namespace LAMMPS_NS {

// All members throw std::runtime_error with one line for the user.
class ModelRunner {
 public:
  virtual ~ModelRunner() = default;

  virtual void evaluate(PairBlock &block, BlockResult &result) = 0;
  virtual pwmlff::Overflows overflows() const = 0;    // since it was made; waits for a GPU
  // whether overflows are counted by the distances of the training data, otherwise by tables
  virtual bool knows_shortest() const { return metadata_.knows_shortest; }
  virtual void set_threads(int n_threads) = 0;
  virtual std::string backend() const = 0;    // what computes, in words

  const ModelMetadata &metadata() const { return metadata_; }

 protected:
  explicit ModelRunner(ModelMetadata metadata) : metadata_(std::move(metadata)) {}

 private:
  const ModelMetadata metadata_;
};

enum class Backend { AUTO, NATIVE, TORCH };

// `cuda` < 0 for the processor, otherwise any number: it is dealt over the devices that are there.
// Code of the file is run only where `trust` is set. Throws std::runtime_error with one line for
// the user.
std::unique_ptr<ModelRunner> make_model_runner(const ModelInput &input, Backend backend, int cuda,
                                               bool trust);

}    // namespace LAMMPS_NS

#endif
