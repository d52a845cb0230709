// SPDX-License-Identifier: GPL-2.0-or-later
//
// Notices when a model meets pairs nearer than those it was made for.

#ifndef PWMLFF_OVERFLOW_WATCH_H
#define PWMLFF_OVERFLOW_WATCH_H

#include "model_runner.h"

#include <mpi.h>

#include <string>
#include <vector>

namespace LAMMPS_NS {

// Counts from the beginning of a run, over all ranks: says once that there are such pairs, and how
// many they were at the end.
class OverflowWatch {
 public:
  // `runners` and `names` belong to the same models
  void begin_run(std::vector<const ModelRunner *> runners, const std::vector<std::string> &names);

  // Both are to be called by all ranks, and rarely: they communicate. They return a text, the same
  // on all ranks, mostly an empty one.
  std::string first_met(MPI_Comm world);    // what to warn of; silent from then on
  std::string end_run(MPI_Comm world);      // the counts of the whole run

 private:
  struct Watched {
    const ModelRunner *runner;
    std::string name;
    pwmlff::Overflows before;    // of this run
  };
  std::vector<Watched> watched_;
  bool has_warned_ = false;

  std::vector<pwmlff::Overflows> counts(MPI_Comm world) const;
};

}    // namespace LAMMPS_NS

#endif
