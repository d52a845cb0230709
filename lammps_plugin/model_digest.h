// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_MODEL_DIGEST_H
#define PWMLFF_MODEL_DIGEST_H

#include <string_view>

namespace LAMMPS_NS {

// An exported model ends in the SHA-256 of all bytes before it, see pwmlff/models/files/archive.py.
// Throws std::runtime_error where it does not.
void check_digest(std::string_view file);

}    // namespace LAMMPS_NS

#endif
