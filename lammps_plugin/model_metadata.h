// SPDX-License-Identifier: GPL-2.0-or-later
//
// What an exported model says about itself, checked before it is used.

#ifndef PWMLFF_MODEL_METADATA_H
#define PWMLFF_MODEL_METADATA_H

#include <cstddef>
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
  bool has_native_form = false;         // runs without torch, see native_form.h

  // throws std::runtime_error saying what was expected and found
  static ModelMetadata parse(const std::string &json_text);

  // throws std::runtime_error where the elements are not as many as the model has weights for
  void check_number_of_elements(std::size_t n_with_weights) const;
};

}    // namespace LAMMPS_NS

#endif
