// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_MODEL_SOURCE_H
#define PWMLFF_MODEL_SOURCE_H

#include <mpi.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace LAMMPS_NS {

// The operating system refuses to read; what() is its reason.
struct CannotRead : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The file or folder that an input names as a model. One rank reads and sends to the others: all
// ranks see the same, and fail together. All of them call the constructor and read().
class ModelSource {
 public:
  // throws CannotRead
  ModelSource(std::string path, MPI_Comm world);

  bool is_folder() const { return is_folder_; }

  // whether it is a file with these bytes at a position
  bool holds(std::string_view bytes, std::size_t position) const;

  // Of the file; throws CannotRead for a folder. Shared, since models point into it.
  std::shared_ptr<const std::string> content() const;

  // the content of a file in the folder, or with an empty name of the file itself; throws
  // CannotRead
  std::string read(const std::string &name) const;

 private:
  const std::string path_;
  const MPI_Comm world_;
  bool is_folder_ = false;
  std::shared_ptr<const std::string> content_;
};

}    // namespace LAMMPS_NS

#endif
