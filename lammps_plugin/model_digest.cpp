// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_digest.h"

#include "sha256.h"

#include <stdexcept>

void LAMMPS_NS::check_digest(std::string_view metadata,
                             const std::map<std::string, std::string_view> &tensors,
                             std::string_view expected)
{
  Sha256 sha;
  sha.update(metadata.data(), metadata.size());
  for (const auto &[name, bytes] : tensors) {
    sha.update(name.data(), name.size());
    sha.update(bytes.data(), bytes.size());
  }
  if (sha.hex_digest() != expected)
    throw std::runtime_error("it is damaged or was altered: its SHA-256 does not match; export "
                             "the model again with `pwmlff export`");
}
