// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the pair style keeps between steps; pair_pwmlff.cpp reads the input, pair_compute.cpp
// computes.

#ifndef PWMLFF_PAIR_PWMLFF_IMPL_H
#define PWMLFF_PAIR_PWMLFF_IMPL_H

#include "deviation.h"
#include "deviation_file.h"
#include "fingerprint.h"
#include "ghost_rows.h"
#include "model_runner.h"
#include "overflow_watch.h"
#include "pair_arguments.h"
#include "pair_block.h"
#include "pair_pwmlff.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

struct Member {
  std::unique_ptr<ModelRunner> runner;
  std::vector<int> type_map;    // model type of each LAMMPS type (from 1), -1 for NULL
};

// The last row of the deviation file. Within a step the pair style may be called many times: by
// Monte Carlo moves, line searches, finite differences. The row is that of the last call, each one
// replaces what the one before has written.
struct LastRow {
  std::int64_t step = -1;
  Fingerprint geometry;
  DeviationSummary summary;
  bool is_of_earlier_run = false;
  bool is_repeated = false;    // a run began where the one before ended
};

struct PairPWMLFF::Impl {
  static constexpr int N_FORCE = 3, N_VIRIAL = 6, N_CENTROID = 9;

  PairArguments arguments;
  std::vector<Member> members;            // the first one drives the simulation
  std::vector<std::string> type_names;    // element or NULL of each LAMMPS type (from 1)
  bool has_looked_at_masses = false;      // of these types
  double energy_unit = 1.0;               // one eV in the units of this run
  PairBlock block;
  BlockResult result;

  // With newton off LAMMPS neither clears nor sends home what is on ghost atoms: it is collected
  // here. Rows hold force [3], then virial [6] and centroid virial [9] when asked for.
  GhostRows off_rows;
  GhostRows committee_rows;           // forces of one member, to compare them
  GhostRows *travelling = nullptr;    // those in reverse communication

  OverflowWatch overflow_watch;

  Deviation deviation;
  std::unique_ptr<DeviationFile> file;
  LastRow row;
  int n_own = 0, n_ghost = 0;                 // atoms when the committee was evaluated last
  int force_wanted = 0, energy_wanted = 0;    // set to 1 by `fix pair` on the steps it reads them
  std::int64_t deviation_step = -1;           // of the numbers in `deviation`
  Fingerprint deviation_geometry;             // of the structure that they are about

  bool is_committee() const { return members.size() > 1; }
};

}    // namespace LAMMPS_NS

#endif
