// SPDX-License-Identifier: GPL-2.0-or-later

#include "exported_file.h"

#include <stdexcept>
#include <utility>

using namespace LAMMPS_NS;

namespace {

const std::string &checked_kind(const std::string &content)
{
  if (content.empty())
    throw std::runtime_error("it is empty; export the model again with `pwmlff export`");
  // safetensors: 8 bytes of length, then JSON
  if (content.size() > 9 && content.compare(8, 2, "{\"") == 0)
    throw std::runtime_error("it is a checkpoint; LAMMPS runs what `pwmlff export` makes of it");
  if (content.compare(0, 4, "PK\x03\x04") != 0)
    throw std::runtime_error("it is not a model that `pwmlff export` wrote");
  return content;
}

std::string text(const ZipArchive &archive, const std::string &name)
{
  return std::string(archive.find("extra/" + name).value_or(""));
}

}    // namespace

ExportedFile::ExportedFile(std::string content)
    : content_(std::move(content)), archive_(checked_kind(content_)),
      metadata_text_(text(archive_, "metadata.json")), digest_(text(archive_, "sha256")),
      metadata_(ModelMetadata::parse(metadata_text_))
{
}
