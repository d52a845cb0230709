// SPDX-License-Identifier: GPL-2.0-or-later

#include "exported_model.h"

#include "exported_metadata.h"
#include "model_digest.h"
#include "stored_arrays.h"
#include "zip_archive.h"

#include <stdexcept>
#include <utility>

using namespace LAMMPS_NS;

namespace {

pwmlff::StoredModel stored_model(const ExportedMetadata &metadata, const ZipArchive &archive)
{
  pwmlff::StoredModel model{*metadata.family, {}};
  for (const auto &[name, entry] : metadata.arrays)
    model.arrays.emplace(name, find_array(name, entry, archive));
  try {
    model.check_finite();
  } catch (const std::runtime_error &error) {
    refuse_arrays(error.what());
  }
  return model;
}

}    // namespace

bool LAMMPS_NS::is_exported_model(const ModelSource &source)
{
  return source.holds("PK\x03\x04", 0);
}

ModelInput LAMMPS_NS::read_exported_model(const ModelSource &source)
{
  const std::shared_ptr<const std::string> content = source.content();
  const ZipArchive archive(*content);
  check_digest(*content);
  const auto text = archive.find("extra/metadata.json");
  const ExportedMetadata metadata = ExportedMetadata::parse(std::string(text.value_or("")));
  if (!metadata.family) return {metadata.model, ScriptModel{*content}, content};
  return {metadata.model, stored_model(metadata, archive), content};
}
