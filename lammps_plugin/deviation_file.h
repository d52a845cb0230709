// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes the deviation of a committee the way active-learning drivers read it.

#ifndef PWMLFF_DEVIATION_FILE_H
#define PWMLFF_DEVIATION_FILE_H

#include "deviation.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace LAMMPS_NS {

enum class DeviationFormat { DPGEN, PWACT };

// The file is begun anew by the first row; a step that was just written is not written again, as
// happens where one `run` follows another.
class DeviationFile {
 public:
  DeviationFile(const std::string &path, DeviationFormat format);

  // throws std::runtime_error when the file cannot be written
  void write(std::int64_t step, const DeviationSummary &deviation);

  const std::string &path() const { return path_; }
  DeviationFormat format() const { return format_; }

 private:
  struct Close {
    void operator()(FILE *file) const { std::fclose(file); }
  };

  void open();
  [[noreturn]] void fail() const;

  const std::string path_;
  const DeviationFormat format_;
  std::unique_ptr<FILE, Close> file_;
  std::int64_t last_step_ = -1;
};

}    // namespace LAMMPS_NS

#endif
