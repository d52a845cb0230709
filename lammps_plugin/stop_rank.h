// SPDX-License-Identifier: GPL-2.0-or-later
//
// Ends the run from one rank, without the others.

#ifndef PWMLFF_STOP_RANK_H
#define PWMLFF_STOP_RANK_H

#include "error.h"

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace LAMMPS_NS {

// As Error::one, which prints the message and throws, upon which LAMMPS aborts all ranks. Launchers
// then drop what they have not passed on yet, so the line is given the time to arrive.
[[noreturn]] inline void stop_rank(Error &error, const std::string &file, int line,
                                   const std::string &message)
{
  try {
    error.one(file, line, message);
  } catch (...) {
    std::fflush(nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    throw;
  }
}

}    // namespace LAMMPS_NS

#endif
