// SPDX-License-Identifier: GPL-2.0-or-later

#include "deviation_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

using namespace LAMMPS_NS;

namespace {

constexpr int STEP_WIDTH = 12, NUMBER_WIDTH = 18;

constexpr const char *DPGEN_COLUMNS[] = {"max_devi_v", "min_devi_v", "avg_devi_v",
                                         "max_devi_f", "min_devi_f", "avg_devi_f"};
constexpr const char *PWACT_COLUMNS[] = {"avg_devi_f", "min_devi_f", "max_devi_f",
                                         "avg_devi_e", "min_devi_e", "max_devi_e"};

std::array<double, 6> row_of(DeviationFormat format, const DeviationSummary &d)
{
  if (format == DeviationFormat::DPGEN)
    return {d.virial.max, d.virial.min, d.virial.avg, d.force.max, d.force.min, d.force.avg};
  return {d.force.avg, d.force.min, d.force.max, d.energy.avg, d.energy.min, d.energy.max};
}

std::string header_of(DeviationFormat format)
{
  const bool is_dpgen = format == DeviationFormat::DPGEN;
  std::string line =
      "#step";    // DP-GEN and PWact read by numpy.loadtxt, to which '#' is a comment
  line.resize(STEP_WIDTH, ' ');
  for (const char *name : is_dpgen ? DPGEN_COLUMNS : PWACT_COLUMNS)
    line += std::string(1 + NUMBER_WIDTH - std::strlen(name), ' ') + name;
  return line;
}

}    // namespace

std::string DeviationFile::open()
{
  if (file_) return "";
  const int descriptor = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) fail();
  file_.reset(fdopen(descriptor, "r+"));
  if (!file_) fail();
  try {
    lock_ = std::make_unique<WriterLock>(descriptor, options_.path, options_.is_one_of_partitions);
    if (std::fseek(file_.get(), 0, SEEK_END) != 0 || std::ftell(file_.get()) <= 0) {
      write_header();
      return "";
    }
    if (options_.append) {
      go_to_end_of_rows();
      return "";
    }
  } catch (...) {
    lock_.reset();
    file_.reset();
    throw;
  }
  is_to_be_replaced_ = true;
  return "'" + options_.path + "' is there already and will be replaced; 'append yes' continues it";
}

void DeviationFile::write(std::int64_t step, const DeviationSummary &deviation)
{
  open();
  FILE *const file = file_.get();
  if (is_to_be_replaced_) {
    std::rewind(file);
    if (ftruncate(fileno(file), 0) != 0) fail();
    write_header();
    is_to_be_replaced_ = false;
  }
  last_row_ = std::ftell(file);
  std::fprintf(file, "%*lld", STEP_WIDTH, static_cast<long long>(step));
  for (const double value : row_of(options_.format, deviation))
    std::fprintf(file, " %*.9e", NUMBER_WIDTH, value);
  std::fprintf(file, "\n");
  if (std::fflush(file) != 0 || std::ferror(file)) fail();
}

void DeviationFile::replace(std::int64_t step, const DeviationSummary &deviation)
{
  // rows of a step have one length, whatever their numbers
  if (file_ && last_row_ >= 0 && std::fseek(file_.get(), last_row_, SEEK_SET) != 0) fail();
  write(step, deviation);
}

void DeviationFile::write_header()
{
  std::fprintf(file_.get(), "%s\n", header_of(options_.format).c_str());
  if (std::fflush(file_.get()) != 0) fail();
}

// behind the last whole row; one that was cut short by the end of an earlier run is removed
void DeviationFile::go_to_end_of_rows()
{
  FILE *const file = file_.get();
  std::rewind(file);
  const std::string expected = header_of(options_.format);
  std::string found;
  long position = 0, end = 0;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    position++;
    if (c == '\n') end = position;
    if (end == 0 && found.size() < expected.size()) found += static_cast<char>(c);
  }
  if (end == 0 || found != expected)
    throw std::runtime_error("cannot append to '" + options_.path + "': its first line is '" +
                             found + "', expected '" + expected +
                             "'; choose the devi_format it has, or another out_file");
  if (ftruncate(fileno(file), end) != 0 || std::fseek(file, end, SEEK_SET) != 0) fail();
}

void DeviationFile::fail() const
{
  throw std::runtime_error("cannot write '" + options_.path + "': " + std::strerror(errno));
}
