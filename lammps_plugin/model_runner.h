// SPDX-License-Identifier: GPL-2.0-or-later
//
// The only part that knows torch: runs an exported model on a block of atoms.

#ifndef PWMLFF_MODEL_RUNNER_H
#define PWMLFF_MODEL_RUNNER_H

#include "model_metadata.h"
#include "pair_block.h"

#include <cstdint>
#include <memory>
#include <string>

namespace LAMMPS_NS {

// How often a compressed model met a pair nearer than its tables were made for, since it was
// loaded.
struct TableOverflows {
  std::int64_t nearer = 0;    // than any pair of the data that the tables were made for
  std::int64_t beyond = 0;    // those of them that are beyond the tables
};

// All members throw std::runtime_error with one line for the user.
class ModelRunner {
 public:
  // `cuda` < 0 for the processor, otherwise any number: it is dealt over the devices that are there
  ModelRunner(const std::string &file_content, int cuda);
  ~ModelRunner();

  const ModelMetadata &metadata() const;
  void evaluate(PairBlock &block, BlockResult &result);

  bool has_tables() const;
  TableOverflows table_overflows() const;    // waits for a GPU

  static void set_threads(int n_threads);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}    // namespace LAMMPS_NS

#endif
