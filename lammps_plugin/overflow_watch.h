// SPDX-License-Identifier: GPL-2.0-or-later
//
// Notices when a compressed model meets pairs nearer than its tables were made for.

#ifndef PWMLFF_OVERFLOW_WATCH_H
#define PWMLFF_OVERFLOW_WATCH_H

#include "model_runner.h"

#include <mpi.h>

#include <string>
#include <vector>

namespace LAMMPS_NS {

// Counts from the beginning of a run, over all ranks, until it has something to say; then it is
// silent until the next run.
class OverflowWatch {
 public:
  // `runners` and `names` belong to the same models
  void begin_run(std::vector<const ModelRunner *> runners, const std::vector<std::string> &names);

  // To be called by all ranks, and rarely: it communicates when there are tables. Returns what to
  // warn of, the same on all ranks; mostly nothing.
  std::string check(MPI_Comm world);

 private:
  struct Watched {
    const ModelRunner *runner;
    std::string name;
    pwmlff::Overflows before;    // of this run
  };
  std::vector<Watched> watched_;
};

}    // namespace LAMMPS_NS

#endif
