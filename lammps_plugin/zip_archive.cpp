// SPDX-License-Identifier: GPL-2.0-or-later
//
// The layout is that of PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central
// directory) and 4.3.16 (its end). All numbers are little-endian.

#include "zip_archive.h"

#include <cstdint>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

constexpr std::size_t END_SIZE = 22, DIRECTORY_SIZE = 46, LOCAL_SIZE = 30, END_64_SIZE = 76;
constexpr std::string_view END_MARK("PK\5\6", 4), END_64_MARK("PK\6\6", 4),
    DIRECTORY_MARK("PK\1\2", 4), LOCAL_MARK("PK\3\4", 4);

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
  constexpr std::size_t size = END_SIZE + ZipArchive::COMMENT_SIZE;
  const std::string_view end =
      content.size() < size ? "" : content.substr(content.size() - size, END_SIZE);
  if (end.substr(0, 4) != END_MARK || number(end, 20, 2) != ZipArchive::COMMENT_SIZE)
    fail("it does not end in the SHA-256 of `pwmlff export`, as files of older versions do not");
  return end;
}

// Between the table of contents and its end nothing lies but, as torch writes it, the 64-bit form
// of the end, which says the same.
void check_end_64(std::string_view rest, std::size_t size, std::size_t n_entries, std::size_t start)
{
  if (rest.size() < size) fail("its table of contents ends beyond the end of the file");
  rest.remove_prefix(size);
  if (rest.empty()) return;
  if (rest.size() != END_64_SIZE || rest.substr(0, 4) != END_64_MARK ||
      number(rest, 32, 8) != n_entries || number(rest, 40, 8) != size ||
      number(rest, 48, 8) != start)
    fail("its table of contents is not at its end");
}

}    // namespace

ZipArchive::ZipArchive(std::string_view content)
{
  const std::string_view end = end_of_directory(content);
  const std::size_t n_entries = number(end, 10, 2), start = number(end, 16, 4);
  const std::string_view directory =
      part(content, start, number(end, 12, 4), "its table of contents");
  const auto end_start = static_cast<std::size_t>(end.data() - content.data());
  if (start > end_start) fail("its table of contents ends beyond the end of the file");
  check_end_64(content.substr(start, end_start - start), directory.size(), n_entries, start);
  content_ = content.substr(0, start);
  std::size_t position = 0;
  for (std::size_t k = 0; k < n_entries; k++) {
    const std::string_view fixed = part(directory, position, DIRECTORY_SIZE, "an entry's record");
    if (fixed.substr(0, 4) != DIRECTORY_MARK) fail("its table of contents is garbled");
    const std::size_t name_size = number(fixed, 28, 2);
    const std::string name(part(directory, position + DIRECTORY_SIZE, name_size, "a name"));
    const Entry entry{number(fixed, 42, 4), number(fixed, 24, 4),
                      number(fixed, 10, 2) == 0 && number(fixed, 20, 4) == number(fixed, 24, 4)};
    if (!entries_.emplace(name.substr(name.find('/') + 1), entry).second)
      fail("'" + name + "' is there twice");
    position += DIRECTORY_SIZE + name_size + number(fixed, 30, 2) + number(fixed, 32, 2);
  }
  if (position != directory.size()) fail("its table of contents is longer than its entries");
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
