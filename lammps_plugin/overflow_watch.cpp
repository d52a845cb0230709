// SPDX-License-Identifier: GPL-2.0-or-later

#include "overflow_watch.h"

using namespace LAMMPS_NS;

namespace {

std::string describe(const std::string &name, std::int64_t nearer, std::int64_t beyond)
{
  const std::string text = "model '" + name + "' met " + std::to_string(nearer) +
                           " pairs nearer than any it was compressed for";
  if (beyond == 0) return text;
  return text + " (" + std::to_string(beyond) +
         " of them beyond its tables, which straight lines continue)";
}

}    // namespace

void OverflowWatch::begin_run(std::vector<const ModelRunner *> runners,
                              const std::vector<std::string> &names)
{
  watched_.clear();
  for (std::size_t k = 0; k < runners.size(); k++)
    if (runners[k]->metadata().has_tables)
      watched_.push_back({runners[k], names[k], runners[k]->overflows()});
}

std::string OverflowWatch::check(MPI_Comm world)
{
  if (watched_.empty()) return "";
  std::vector<std::int64_t> counts;
  for (const Watched &model : watched_) {
    const pwmlff::Overflows now = model.runner->overflows();
    counts.push_back(now.nearer - model.before.nearer);
    counts.push_back(now.beyond - model.before.beyond);
  }
  std::vector<std::int64_t> sums(counts.size());
  MPI_Allreduce(counts.data(), sums.data(), static_cast<int>(counts.size()), MPI_INT64_T, MPI_SUM,
                world);
  std::string warning;
  for (std::size_t k = 0; k < watched_.size(); k++)
    if (sums[2 * k] > 0)
      warning +=
          (warning.empty() ? "" : "; ") + describe(watched_[k].name, sums[2 * k], sums[2 * k + 1]);
  if (!warning.empty()) watched_.clear();
  return warning;
}
