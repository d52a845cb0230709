// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_SHA256_H
#define PWMLFF_SHA256_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace LAMMPS_NS {

// SHA-256 (FIPS 180-4) of everything given to update().
class Sha256 {
 public:
  void update(const void *data, std::size_t size);
  std::string hex_digest();    // ends the message

 private:
  void process(const std::uint8_t *block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> buffer_{};
  std::uint64_t n_bytes_ = 0;
};

}    // namespace LAMMPS_NS

#endif
