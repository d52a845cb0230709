// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_kinds.h"

#include "exported_model.h"
#include "nep_model.h"

#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

// of safetensors: 8 bytes of length, then JSON
bool is_checkpoint(const ModelSource &source)
{
  return source.holds("{\"", 8);
}

ModelInput refuse_checkpoint(const ModelSource &)
{
  throw std::runtime_error("it is a checkpoint; LAMMPS runs what `pwmlff export` makes of it");
}

// A row is all that another kind takes. All ranks call the functions, with the same source.
struct ModelKind {
  const char *ending;    // of the file's name
  bool (*recognise)(const ModelSource &source);
  ModelInput (*read)(const ModelSource &source);    // throws std::runtime_error
};

constexpr ModelKind KINDS[] = {
    {".pt", is_exported_model, read_exported_model},
    {".ckpt", is_checkpoint, refuse_checkpoint},
    {".txt", is_nep_model, read_nep_model},
};

}    // namespace

bool LAMMPS_NS::has_name_of_model(const std::string &word)
{
  for (const ModelKind &kind : KINDS) {
    const std::string ending = kind.ending;
    if (word.size() >= ending.size() &&
        word.compare(word.size() - ending.size(), ending.size(), ending) == 0)
      return true;
  }
  return false;
}

ModelInput LAMMPS_NS::read_model(const ModelSource &source)
{
  for (const ModelKind &kind : KINDS)
    if (kind.recognise(source)) return kind.read(source);
  if (source.content()->empty())
    throw std::runtime_error("it is empty; export the model again with `pwmlff export`");
  throw std::runtime_error("it is not a model that `pwmlff export` wrote, and no nep.txt");
}
