// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_ZIP_ARCHIVE_H
#define PWMLFF_ZIP_ARCHIVE_H

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace LAMMPS_NS {

// Finds the entries of a zip file in memory. Only stored ones are handed out, which need no
// unpacking and no copy: TorchScript stores tensors and extra files so. The file ends in a comment
// of a fixed size, so there is one place only where its table of contents can be.
class ZipArchive {
 public:
  static constexpr std::size_t COMMENT_SIZE = 64;

  // `content` must outlive the archive; throws std::runtime_error where it is no intact zip file
  explicit ZipArchive(std::string_view content);

  // An entry by its path below the one folder that holds all; nothing when there is none. Throws
  // std::runtime_error where its bytes are compressed or not all there.
  std::optional<std::string_view> find(const std::string &path) const;

 private:
  struct Entry {
    std::size_t header, size;
    bool is_stored;
  };

  std::string_view content_;    // up to the table of contents
  std::map<std::string, Entry> entries_;
};

}    // namespace LAMMPS_NS

#endif
