// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_NATIVE_FORM_H
#define PWMLFF_NATIVE_FORM_H

#include "exported_file.h"

#include "dp_description.hpp"
#include "zbl.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace LAMMPS_NS {

// A Deep Potential with what is added to it, as the kernels take it: what "native" in the metadata
// says, and where in the file the numbers lie. See pwmlff/export/native.py, which writes it.
struct NativeForm {
  pwmlff::DpDescription network;       // points into the file
  std::vector<double> energy_shift;    // [T] eV
  std::optional<pwmlff::Zbl> repulsion;
  std::map<std::string, std::string_view> bytes;    // of all tensors, by name

  // throws std::runtime_error where something is missing or does not fit
  static NativeForm read(const ExportedFile &file);
};

}    // namespace LAMMPS_NS

#endif
