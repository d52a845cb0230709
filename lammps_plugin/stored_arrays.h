// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_STORED_ARRAYS_H
#define PWMLFF_STORED_ARRAYS_H

#include "exported_metadata.h"
#include "zip_archive.h"

#include "stored_model.hpp"

#include <string>
#include <string_view>

namespace LAMMPS_NS {

struct StoredArray {
  pwmlff::Array array;    // points into the file, as do the bytes
  std::string_view bytes;
};

// Throws std::runtime_error where the array is not in the file as the entry says.
StoredArray find_array(const std::string &name, const ArrayEntry &entry, const ZipArchive &archive);

}    // namespace LAMMPS_NS

#endif
