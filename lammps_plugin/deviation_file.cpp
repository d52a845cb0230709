// SPDX-License-Identifier: GPL-2.0-or-later

#include "deviation_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

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

}    // namespace

DeviationFile::DeviationFile(const std::string &path, DeviationFormat format)
    : path_(path), format_(format)
{
}

void DeviationFile::write(std::int64_t step, const DeviationSummary &deviation)
{
  if (!file_) open();
  FILE *const file = file_.get();
  last_row_ = std::ftell(file);
  std::fprintf(file, "%12lld", static_cast<long long>(step));
  for (const double value : row_of(format_, deviation)) std::fprintf(file, " %18.9e", value);
  std::fprintf(file, "\n");
  if (std::fflush(file) != 0 || std::ferror(file)) fail();
}

void DeviationFile::replace(std::int64_t step, const DeviationSummary &deviation)
{
  // rows of a step have one length, whatever their numbers
  if (file_ && last_row_ >= 0 && std::fseek(file_.get(), last_row_, SEEK_SET) != 0) fail();
  write(step, deviation);
}

void DeviationFile::open()
{
  file_.reset(std::fopen(path_.c_str(), "w"));
  if (!file_) fail();
  // numpy.loadtxt takes '#' for a comment; the readers of the other dialect skip the first line
  const bool is_dpgen = format_ == DeviationFormat::DPGEN;
  std::fprintf(file_.get(), "%-12s", is_dpgen ? "#step" : "step");
  for (const char *name : is_dpgen ? DPGEN_COLUMNS : PWACT_COLUMNS)
    std::fprintf(file_.get(), " %18s", name);
  std::fprintf(file_.get(), "\n");
}

void DeviationFile::fail() const
{
  throw std::runtime_error("cannot write '" + path_ + "': " + std::strerror(errno));
}
