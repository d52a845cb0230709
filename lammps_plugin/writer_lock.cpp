// SPDX-License-Identifier: GPL-2.0-or-later

#include "writer_lock.h"

#include <cerrno>
#include <map>
#include <set>
#include <stdexcept>

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace LAMMPS_NS;

struct WriterLock::Held {
  std::set<FileId> open;
  std::map<FileId, int> until_exit;    // closed by their writers; the descriptors keep the locks
};

WriterLock::Held &WriterLock::held()
{
  static Held all;
  return all;
}

WriterLock::WriterLock(int descriptor, const std::string &path, bool until_exit)
    : descriptor_(descriptor), until_exit_(until_exit)
{
  struct stat status;
  is_file_ = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  if (!is_file_) return;
  id_ = {status.st_dev, status.st_ino};

  bool is_taken = held().open.count(id_) != 0;
  if (!is_taken) {
    const auto own = held().until_exit.find(id_);
    if (own != held().until_exit.end()) {
      close(own->second);
      held().until_exit.erase(own);
    }
    // file systems without locks say so by other errors
    is_taken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  }
  if (is_taken)
    throw std::runtime_error("'" + path +
                             "' is being written by another pair_style pwmlff, of this input, of "
                             "another partition or of another job; give each its own out_file");
  held().open.insert(id_);
}

WriterLock::~WriterLock()
{
  if (!is_file_) return;
  held().open.erase(id_);
  if (until_exit_) held().until_exit[id_] = dup(descriptor_);
}
