// SPDX-License-Identifier: GPL-2.0-or-later

#include "pair_arguments.h"

#include "model_kinds.h"
#include "stored_path.h"

#include "error.h"
#include "lammps.h"
#include "universe.h"
#include "utils.h"

#include <functional>
#include <map>
#include <set>

using namespace LAMMPS_NS;

namespace {

using Setter = std::function<void(const std::string &value)>;

template <typename Map> std::string names_of(const Map &map)
{
  std::string text;
  for (const auto &entry : map) text += (text.empty() ? "" : ", ") + entry.first;
  return text;
}

int number(const std::string &keyword, const std::string &value, int smallest, LAMMPS *lmp)
{
  if (!utils::is_integer(value) || utils::inumeric(FLERR, value, false, lmp) < smallest)
    lmp->error->all(FLERR,
                    "pair_style pwmlff: keyword '{}' expects a whole number of at least {}, got "
                    "'{}'",
                    keyword, smallest, value);
  return utils::inumeric(FLERR, value, false, lmp);
}

template <typename Value>
Value choice(const std::string &keyword, const std::string &value,
             const std::map<std::string, Value> &choices, LAMMPS *lmp)
{
  const auto chosen = choices.find(value);
  if (chosen == choices.end())
    lmp->error->all(FLERR, "pair_style pwmlff: keyword '{}' does not know '{}'; choose from: {}",
                    keyword, value, names_of(choices));
  return chosen->second;
}

std::map<std::string, Setter> setters_of(PairArguments &result, LAMMPS *lmp)
{
  return {
      {"append",
       [&result, lmp](const std::string &value) {
         result.file.append = choice<bool>("append", value, {{"no", false}, {"yes", true}}, lmp);
       }},
      {"backend",
       [&result, lmp](const std::string &value) {
         result.backend = choice<Backend>(
             "backend", value,
             {{"auto", Backend::AUTO}, {"native", Backend::NATIVE}, {"torch", Backend::TORCH}},
             lmp);
       }},
      {"block_pairs",
       [&result, lmp](const std::string &value) {
         result.block_pairs = number("block_pairs", value, 1, lmp);
       }},
      {"devi_format",
       [&result, lmp](const std::string &value) {
         result.file.format = choice<DeviationFormat>(
             "devi_format", value,
             {{"dpgen", DeviationFormat::DPGEN}, {"pwact", DeviationFormat::PWACT}}, lmp);
       }},
      {"device",
       [&result, lmp](const std::string &value) {
         result.cuda = choice<bool>("device", value, {{"cpu", false}, {"cuda", true}}, lmp);
       }},
      {"out_file",
       [&result, lmp](const std::string &value) {
         if (is_cut_by_lammps(value))
           lmp->error->all(FLERR, "pair_style pwmlff: keyword 'out_file' got '{}'; {}", value,
                           PATH_ADVICE);
         result.file.path = value;
       }},
      {"out_freq",
       [&result, lmp](const std::string &value) {
         result.out_freq = number("out_freq", value, 0, lmp);
       }},
      {"trust",
       [&result, lmp](const std::string &value) {
         result.trust = choice<bool>("trust", value, {{"no", false}, {"yes", true}}, lmp);
       }},
  };
}

}    // namespace

PairArguments PairArguments::parse(int narg, char **arg, LAMMPS *lmp)
{
  PairArguments result;
  const std::map<std::string, Setter> setters = setters_of(result, lmp);
  if (narg < 1 || setters.count(arg[0]))
    lmp->error->all(FLERR,
                    "pair_style pwmlff expects a model file: pair_style pwmlff model.pt [more.pt "
                    "...] [keyword value ...], with keywords from: {}",
                    names_of(setters));
  int position = 0;
  do result.models.push_back(arg[position++]);
  while (position < narg && has_name_of_model(arg[position]));

  result.file.is_one_of_partitions = lmp->universe->nworlds > 1;
  std::set<std::string> given;
  for (; position < narg; position += 2) {
    const std::string keyword = arg[position];
    const auto setter = setters.find(keyword);
    if (setter == setters.end())
      lmp->error->all(FLERR, "pair_style pwmlff: {} '{}'; choose from: {}",
                      has_name_of_model(keyword) ? "model files come before keywords, found"
                                                 : "unknown keyword",
                      keyword, names_of(setters));
    if (position + 1 == narg)
      lmp->error->all(FLERR, "pair_style pwmlff: keyword '{}' expects a value", keyword);
    if (!given.insert(keyword).second)
      lmp->error->all(FLERR, "pair_style pwmlff: keyword '{}' is given twice", keyword);
    setter->second(arg[position + 1]);
  }
  if (result.cuda && result.backend == Backend::NATIVE)
    lmp->error->all(FLERR,
                    "pair_style pwmlff: 'backend native' runs on the processor, but 'device cuda' "
                    "is given");
  for (const char *keyword : {"out_freq", "out_file", "devi_format", "append"})
    if (result.models.size() == 1 && given.count(keyword))
      lmp->error->all(FLERR,
                      "pair_style pwmlff: keyword '{}' is about the deviation of several models, "
                      "but one model is given",
                      keyword);
  return result;
}
