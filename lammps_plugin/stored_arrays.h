// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_STORED_ARRAYS_H
#define PWMLFF_STORED_ARRAYS_H

#include "exported_metadata.h"
#include "zip_archive.h"

#include "stored_model.hpp"

#include <string>

namespace LAMMPS_NS {

// Points into the file. Throws std::runtime_error where the array is not there as the entry says.
pwmlff::Array find_array(const std::string &name, const ArrayEntry &entry,
                         const ZipArchive &archive);

}    // namespace LAMMPS_NS

#endif
