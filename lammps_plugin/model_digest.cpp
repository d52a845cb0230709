// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_digest.h"

#include "sha256.h"
#include "zip_archive.h"

#include <stdexcept>

using namespace LAMMPS_NS;

void LAMMPS_NS::check_digest(std::string_view file)
{
  Sha256 sha;
  const std::size_t n_covered = file.size() - ZipArchive::COMMENT_SIZE;
  sha.update(file.data(), n_covered);
  if (sha.hex_digest() != file.substr(n_covered))
    throw std::runtime_error("it is damaged or was altered: its SHA-256 does not match; export "
                             "the model again with `pwmlff export`");
}
