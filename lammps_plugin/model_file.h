// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_MODEL_FILE_H
#define PWMLFF_MODEL_FILE_H

#include <mpi.h>

#include <string>

namespace LAMMPS_NS {

// The content of a file, read by one rank and sent to the others: all ranks see the same file, and
// fail together, with the reason in `problem`.
std::string read_on_all_ranks(const std::string &path, MPI_Comm world, int me,
                              std::string &problem);

}    // namespace LAMMPS_NS

#endif
