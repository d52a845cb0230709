// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes the deviation of a committee the way active-learning drivers read it.

#ifndef PWMLFF_DEVIATION_FILE_H
#define PWMLFF_DEVIATION_FILE_H

#include "deviation.h"
#include "writer_lock.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace LAMMPS_NS {

enum class DeviationFormat { DPGEN, PWACT };

// A file that is there already is replaced by the first row, or continued.
class DeviationFile {
 public:
  struct Options {
    std::string path = "model_devi.out";
    DeviationFormat format = DeviationFormat::DPGEN;
    bool append = false;
    bool is_one_of_partitions = false;

    bool is_same_file(const Options &other) const
    {
      return path == other.path && format == other.format;
    }
  };

  explicit DeviationFile(const Options &options) : options_(options) {}

  // All throw std::runtime_error, when the file cannot be written and open() also when someone else
  // writes it or `append` finds another kind of file.

  // Before rows are written. Returns what the user may want to know, mostly nothing.
  std::string open();
  void write(std::int64_t step, const DeviationSummary &deviation);
  // puts other numbers in the place of the last row, of the same step
  void replace(std::int64_t step, const DeviationSummary &deviation);

  const Options &options() const { return options_; }

 private:
  struct Close {
    void operator()(FILE *file) const { std::fclose(file); }
  };

  void write_header();
  void go_to_end_of_rows();
  [[noreturn]] void fail() const;

  const Options options_;
  std::unique_ptr<FILE, Close> file_;
  std::unique_ptr<WriterLock> lock_;    // ends before the file is closed
  bool is_to_be_replaced_ = false;
  long last_row_ = -1;    // where it begins; -1: nowhere one can go back to
};

}    // namespace LAMMPS_NS

#endif
