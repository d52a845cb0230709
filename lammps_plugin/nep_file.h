// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_NEP_FILE_H
#define PWMLFF_NEP_FILE_H

#include <cstdint>
#include <string>
#include <vector>

namespace LAMMPS_NS {

// What a nep.txt says, see pwmlff/models/files/nep_file.py. Letters: T elements, D length of the
// descriptor, H neurons.
struct NepFile {
  static constexpr int N_EXTRAS = 6;
  static constexpr int N_PAIR_NUMBERS = 10;    // range and screening of the repulsion

  int version = 0;
  std::vector<std::string> elements;
  std::vector<double> cutoffs;    // [T, 2] Angstrom, radial and angular
  std::int64_t n_radial = 0, n_angular = 0, k_radial = 0,
               k_angular = 0;    // functions, their parts
  std::int64_t l_max = 0;
  std::vector<std::int64_t> extras;    // [6], 1 where a further invariant is on
  std::int64_t n_neurons = 0;
  std::vector<double> nets;         // [T, H (D + 2) + 1] by central type, with the sum of biases
  std::vector<double> radial;       // [T, T, n_radial, k_radial] by central and neighbour type
  std::vector<double> angular;      // [T, T, n_angular, k_angular]
  std::vector<double> scaler;       // [D]
  std::vector<double> repulsion;    // [T, T, 10], empty without

  std::int64_t n_types() const { return static_cast<std::int64_t>(elements.size()); }
  std::int64_t width() const;    // D
};

}    // namespace LAMMPS_NS

#endif
