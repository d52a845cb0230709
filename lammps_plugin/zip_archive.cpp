// SPDX-License-Identifier: GPL-2.0-or-later
//
// The layout is that of PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central
// directory) and 4.3.16 (its end). All numbers are little-endian.

#include "zip_archive.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

constexpr std::size_t END_SIZE = 22, DIRECTORY_SIZE = 46, LOCAL_SIZE = 30, LONGEST_COMMENT = 65535;
constexpr std::string_view END_MARK("PK\5\6", 4), DIRECTORY_MARK("PK\1\2", 4),
    LOCAL_MARK("PK\3\4", 4);

[[noreturn]] void fail(const std::string &reason)
{
  throw std::runtime_error("it may be truncated or altered (" + reason +
                           "); export the model again with `pwmlff export`");
}

// `size` bytes from `start`, all of which are there
std::string_view part(std::string_view content, std::size_t start, std::size_t size,
                      const std::string &name)
{
  if (start > content.size() || size > content.size() - start)
    fail(name + " ends beyond the end of the file");
  return content.substr(start, size);
}

std::size_t number(std::string_view bytes, std::size_t position, int n_bytes)
{
  std::size_t value = 0;
  for (int k = n_bytes - 1; k >= 0; k--)
    value = value << 8 | static_cast<std::uint8_t>(bytes[position + k]);
  return value;
}

std::string_view end_of_directory(std::string_view content)
{
  const std::size_t searched = std::min(content.size(), END_SIZE + LONGEST_COMMENT);
  const std::size_t end = content.substr(content.size() - searched).rfind(END_MARK);
  if (end == std::string_view::npos) fail("its table of contents is missing");
  return part(content, content.size() - searched + end, END_SIZE, "its table of contents");
}

}    // namespace

ZipArchive::ZipArchive(std::string_view content) : content_(content)
{
  const std::string_view end = end_of_directory(content);
  const std::size_t n_entries = number(end, 10, 2);
  const std::string_view directory =
      part(content, number(end, 16, 4), number(end, 12, 4), "its table of contents");
  std::size_t position = 0;
  for (std::size_t k = 0; k < n_entries; k++) {
    const std::string_view fixed = part(directory, position, DIRECTORY_SIZE, "an entry's record");
    if (fixed.substr(0, 4) != DIRECTORY_MARK) fail("its table of contents is garbled");
    const std::size_t name_size = number(fixed, 28, 2);
    const std::string name(part(directory, position + DIRECTORY_SIZE, name_size, "a name"));
    const Entry entry{number(fixed, 42, 4), number(fixed, 24, 4), number(fixed, 10, 2) == 0};
    if (!entries_.emplace(name.substr(name.find('/') + 1), entry).second)
      fail("'" + name + "' is there twice");
    position += DIRECTORY_SIZE + name_size + number(fixed, 30, 2) + number(fixed, 32, 2);
  }
}

std::optional<std::string_view> ZipArchive::find(const std::string &path) const
{
  const auto place = entries_.find(path);
  if (place == entries_.end()) return std::nullopt;
  const Entry &entry = place->second;
  if (!entry.is_stored) fail("'" + path + "' is compressed");
  // name and extra field of the local header need not be as long as those of the directory
  const std::string_view local = part(content_, entry.header, LOCAL_SIZE, "'" + path + "'");
  if (local.substr(0, 4) != LOCAL_MARK) fail("'" + path + "' is not where it should be");
  const std::size_t start = entry.header + LOCAL_SIZE + number(local, 26, 2) + number(local, 28, 2);
  return part(content_, start, entry.size, "'" + path + "'");
}
