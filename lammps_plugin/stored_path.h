// SPDX-License-Identifier: GPL-2.0-or-later
//
// LAMMPS knows inputs in ASCII: of other characters it leaves some bytes, or an equivalent (see
// utils::utf8_subst). Paths in the values of -var and of `variable getenv` stay whole.

#ifndef PWMLFF_STORED_PATH_H
#define PWMLFF_STORED_PATH_H

#include <mpi.h>

#include <string>

namespace LAMMPS_NS {

// The one path on disk that LAMMPS reads as `path`; `path` itself where it exists, or where there
// is no such path or several. To be called by all ranks of `world`; the first one looks.
std::string stored_path(const std::string &path, MPI_Comm world);

// Whether bytes are missing, so that no program would write or find this name.
bool is_cut_by_lammps(const std::string &path);

// what to do then, to end an error message with
extern const char *const PATH_ADVICE;

}    // namespace LAMMPS_NS

#endif
