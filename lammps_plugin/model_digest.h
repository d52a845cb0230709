// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_MODEL_DIGEST_H
#define PWMLFF_MODEL_DIGEST_H

#include <map>
#include <string>
#include <string_view>

namespace LAMMPS_NS {

// Compares the SHA-256 of an exported model with the one in the file: of the metadata, then of all
// parameters and buffers in the order of their names, name and numbers. Throws std::runtime_error
// where they differ.
void check_digest(std::string_view metadata, const std::map<std::string, std::string_view> &tensors,
                  std::string_view expected);

}    // namespace LAMMPS_NS

#endif
