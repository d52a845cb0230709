// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an exported model says about itself, checked before it is used.

#ifndef PWMLFF_EXPORTED_METADATA_H
#define PWMLFF_EXPORTED_METADATA_H

#include "model_metadata.h"

#include "stored_model.hpp"

#include <map>
#include <optional>
#include <string>

namespace LAMMPS_NS {

// where an array lies in the file, and how it is to be read
struct ArrayEntry {
  std::string record;    // path in the archive
  std::string dtype;
  pwmlff::Shape shape;
};

struct ExportedMetadata {
  static constexpr int FORMAT_VERSION = 2;

  ModelMetadata model;
  std::optional<std::string> family;    // nothing: only the file's own code computes the model
  std::map<std::string, ArrayEntry> arrays;

  // throws std::runtime_error saying what was expected and found
  static ExportedMetadata parse(const std::string &json_text);
};

}    // namespace LAMMPS_NS

#endif
