// SPDX-License-Identifier: GPL-2.0-or-later

#include "overflow_watch.h"

using namespace LAMMPS_NS;

namespace {

std::string join(const std::string &text, const std::string &more)
{
  return text.empty() ? more : text + "; " + more;
}

std::string reference_of(const ModelRunner &runner)
{
  return runner.knows_shortest() ? "in its training data" : "it was compressed for";
}

std::string tail_of(std::int64_t beyond)
{
  if (beyond == 0) return "";
  return " (" + std::to_string(beyond) +
         " of them beyond its tables, which straight lines continue)";
}

}    // namespace

void OverflowWatch::begin_run(std::vector<const ModelRunner *> runners,
                              const std::vector<std::string> &names)
{
  watched_.clear();
  has_warned_ = false;
  for (std::size_t k = 0; k < runners.size(); k++)
    if (runners[k]->knows_shortest() || runners[k]->metadata().has_tables)
      watched_.push_back({runners[k], names[k], runners[k]->overflows()});
}

std::string OverflowWatch::first_met(MPI_Comm world)
{
  if (has_warned_ || watched_.empty()) return "";
  const std::vector<pwmlff::Overflows> met = counts(world);
  std::string warning;
  for (std::size_t k = 0; k < watched_.size(); k++)
    if (met[k].nearer > 0)
      warning = join(warning, "model '" + watched_[k].name + "' meets pairs nearer than any " +
                                  reference_of(*watched_[k].runner));
  has_warned_ = !warning.empty();
  return warning;
}

std::string OverflowWatch::end_run(MPI_Comm world)
{
  if (watched_.empty()) return "";
  const std::vector<pwmlff::Overflows> met = counts(world);
  std::string message;
  for (std::size_t k = 0; k < watched_.size(); k++)
    if (met[k].nearer > 0)
      message = join(message, "model '" + watched_[k].name + "' met " +
                                  std::to_string(met[k].nearer) + " pairs nearer than any " +
                                  reference_of(*watched_[k].runner) + tail_of(met[k].beyond));
  watched_.clear();
  return message;
}

std::vector<pwmlff::Overflows> OverflowWatch::counts(MPI_Comm world) const
{
  std::vector<std::int64_t> own;
  for (const Watched &model : watched_) {
    const pwmlff::Overflows now = model.runner->overflows();
    own.push_back(now.nearer - model.before.nearer);
    own.push_back(now.beyond - model.before.beyond);
  }
  std::vector<std::int64_t> sums(own.size());
  MPI_Allreduce(own.data(), sums.data(), static_cast<int>(own.size()), MPI_INT64_T, MPI_SUM, world);
  std::vector<pwmlff::Overflows> result;
  for (std::size_t k = 0; k < sums.size(); k += 2) result.push_back({sums[k], sums[k + 1]});
  return result;
}
