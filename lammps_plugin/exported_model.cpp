// SPDX-License-Identifier: GPL-2.0-or-later

#include "exported_model.h"

#include "exported_metadata.h"
#include "model_digest.h"
#include "stored_arrays.h"
#include "zip_archive.h"

#include <utility>

using namespace LAMMPS_NS;

namespace {

std::string text(const ZipArchive &archive, const std::string &name)
{
  return std::string(archive.find("extra/" + name).value_or(""));
}

pwmlff::StoredModel stored_model(const ExportedMetadata &metadata, const std::string &metadata_text,
                                 const ZipArchive &archive, const std::string &digest)
{
  pwmlff::StoredModel model{*metadata.family, {}};
  std::map<std::string, std::string_view> bytes;
  for (const auto &[name, entry] : metadata.arrays) {
    const StoredArray stored = find_array(name, entry, archive);
    model.arrays.emplace(name, stored.array);
    bytes.emplace(name, stored.bytes);
  }
  check_digest(metadata_text, bytes, digest);
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
  const std::string metadata_text = text(archive, "metadata.json"),
                    digest = text(archive, "sha256");
  const ExportedMetadata metadata = ExportedMetadata::parse(metadata_text);
  if (!metadata.family)
    return {metadata.model, ScriptModel{*content, metadata_text, digest}, content};
  return {metadata.model, stored_model(metadata, metadata_text, archive, digest), content};
}
