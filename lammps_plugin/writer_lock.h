// SPDX-License-Identifier: GPL-2.0-or-later
//
// One writer per file: of all pair styles of a process, partitions of a job, and jobs.

#ifndef PWMLFF_WRITER_LOCK_H
#define PWMLFF_WRITER_LOCK_H

#include <string>
#include <sys/types.h>
#include <utility>

namespace LAMMPS_NS {

class WriterLock {
 public:
  // Holds the open file `descriptor` until it ends, or until the process does: of two partitions
  // one may be through before the other begins. Throws std::runtime_error when someone else writes
  // the file. Devices and pipes are free to all; other processes are seen where the file system
  // knows locks.
  WriterLock(int descriptor, const std::string &path, bool until_exit);
  ~WriterLock();
  WriterLock(const WriterLock &) = delete;
  WriterLock &operator=(const WriterLock &) = delete;

 private:
  using FileId = std::pair<dev_t, ino_t>;
  struct Held;

  static Held &held();

  const int descriptor_;
  const bool until_exit_;
  bool is_file_ = false;
  FileId id_;
};

}    // namespace LAMMPS_NS

#endif
