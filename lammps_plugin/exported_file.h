// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_EXPORTED_FILE_H
#define PWMLFF_EXPORTED_FILE_H

#include "model_metadata.h"
#include "zip_archive.h"

#include <optional>
#include <string>
#include <string_view>

namespace LAMMPS_NS {

// What `pwmlff export` wrote, in memory. Which part of it is needed depends on who runs the model;
// that part is compared with the digest there.
class ExportedFile {
 public:
  // throws std::runtime_error where the content is something else, damaged or of another version
  explicit ExportedFile(std::string content);
  ExportedFile(const ExportedFile &) = delete;    // the archive points into the content
  ExportedFile &operator=(const ExportedFile &) = delete;

  std::string_view content() const { return content_; }
  const ZipArchive &archive() const { return archive_; }
  const ModelMetadata &metadata() const { return metadata_; }
  const std::string &metadata_text() const { return metadata_text_; }
  const std::string &digest() const { return digest_; }

 private:
  const std::string content_;
  const ZipArchive archive_;
  const std::string metadata_text_, digest_;
  const ModelMetadata metadata_;
};

}    // namespace LAMMPS_NS

#endif
