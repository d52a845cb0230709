// SPDX-License-Identifier: GPL-2.0-or-later
//
// What follows `pair_style pwmlff` in an input.

#ifndef PWMLFF_PAIR_ARGUMENTS_H
#define PWMLFF_PAIR_ARGUMENTS_H

#include "deviation_file.h"
#include "model_runner.h"

#include <string>
#include <vector>

namespace LAMMPS_NS {

class LAMMPS;

struct PairArguments {
  std::vector<std::string> models;    // files; the first one drives the simulation
  int out_freq = 100;                 // steps between rows of the deviation file, 0 for none
  DeviationFile::Options file;
  int block_pairs = 0;    // 0: chosen by device and number of threads
  bool cuda = false;
  Backend backend = Backend::AUTO;
  bool trust = false;    // the code in files of models without kernels may run

  // ends in error->all() when something is missing, unknown, given twice or no number
  static PairArguments parse(int narg, char **arg, LAMMPS *lmp);
};

}    // namespace LAMMPS_NS

#endif
