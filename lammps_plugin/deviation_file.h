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

// The file is begun anew by the first row.
class DeviationFile {
 public:
  DeviationFile(const std::string &path, DeviationFormat format);

  // Both throw std::runtime_error when the file cannot be written.
  void write(std::int64_t step, const DeviationSummary &deviation);
  // puts other numbers in the place of the last row, of the same step
  void replace(std::int64_t step, const DeviationSummary &deviation);

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
  long last_row_ = -1;    // where it begins; -1: nowhere one can go back to
};

}    // namespace LAMMPS_NS

#endif
