// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the pair style needs to know of a model beside its numbers.

#ifndef PWMLFF_MODEL_METADATA_H
#define PWMLFF_MODEL_METADATA_H

#include <cstdint>
#include <string>
#include <vector>

namespace LAMMPS_NS {

struct ModelMetadata {
  std::string model_type;               // in words, for the output
  std::string dtype;                    // likewise
  std::vector<std::string> elements;    // in the order of the model's types
  double cutoff = 0.0;                  // Angstrom
  bool has_tables = false;              // a compressed model
  bool knows_shortest = false;          // the distances of its training data are among its arrays

  // throws std::runtime_error where pairs beyond the cutoff would add to energies
  void check_reach(double reach) const;

  // throws std::runtime_error where the elements are not as many as the model has weights for
  void check_number_of_elements(std::int64_t n_with_weights) const;
};

}    // namespace LAMMPS_NS

#endif
