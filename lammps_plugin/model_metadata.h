// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an exported model says about itself, checked before it is used.

#ifndef PWMLFF_MODEL_METADATA_H
#define PWMLFF_MODEL_METADATA_H

#include <string>
#include <vector>

namespace LAMMPS_NS {

struct ModelMetadata {
  static constexpr int FORMAT_VERSION = 1;

  std::string model_type;
  std::string dtype;
  std::string pwmlff_version;
  std::vector<std::string> elements;    // in the order of the model's types
  double cutoff = 0.0;                  // Angstrom
  bool has_tables = false;              // a compressed model

  // throws std::runtime_error saying what was expected and found
  static ModelMetadata parse(const std::string &json_text);
};

}    // namespace LAMMPS_NS

#endif
