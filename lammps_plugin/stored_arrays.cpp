// SPDX-License-Identifier: GPL-2.0-or-later

#include "stored_arrays.h"

#include "model_input.h"

#include <cstdint>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

constexpr std::size_t LARGEST_RANK = 8;

pwmlff::DType dtype_of(const std::string &name, const ArrayEntry &entry)
{
  try {
    return pwmlff::dtype_of(entry.dtype);
  } catch (const std::runtime_error &) {
    refuse_arrays("'" + name + "' has dtype " + entry.dtype);
  }
}

// in bytes
std::size_t size_of(const std::string &name, const pwmlff::Shape &shape, std::size_t item)
{
  if (shape.size() > LARGEST_RANK) refuse_arrays("the shape of '" + name + "'");
  std::size_t size = item;
  for (const std::int64_t n : shape) {
    if (n <= 0 || size > SIZE_MAX / static_cast<std::size_t>(n))
      refuse_arrays("the shape of '" + name + "'");
    size *= static_cast<std::size_t>(n);
  }
  return size;
}

}    // namespace

pwmlff::Array LAMMPS_NS::find_array(const std::string &name, const ArrayEntry &entry,
                                    const ZipArchive &archive)
{
  const pwmlff::DType dtype = dtype_of(name, entry);
  const auto item = static_cast<std::size_t>(pwmlff::dtype_size(dtype));
  const std::size_t size = size_of(name, entry.shape, item);
  const auto bytes = archive.find(entry.record);
  if (!bytes) refuse_arrays("'" + name + "' should be in '" + entry.record + "', which is missing");
  if (bytes->size() != size)
    refuse_arrays("'" + name + "' has " + std::to_string(bytes->size()) + " bytes, expected " +
                  std::to_string(size));
  if (reinterpret_cast<std::uintptr_t>(bytes->data()) % item != 0)
    refuse_arrays("the numbers of '" + name + "' are not aligned in the file");
  return {dtype, entry.shape, bytes->data()};
}
