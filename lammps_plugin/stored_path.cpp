// SPDX-License-Identifier: GPL-2.0-or-later

#include "stored_path.h"

#include "utils.h"

#include <filesystem>
#include <system_error>

using namespace LAMMPS_NS;
namespace fs = std::filesystem;

namespace {

// name by name from the root or the folder of this process; empty: none or several
std::string find(const std::string &text)
{
  fs::path found;
  for (const fs::path &name : fs::path(text)) {
    std::error_code ignored;
    if (fs::exists(found / name, ignored)) {
      found /= name;
      continue;
    }
    fs::path match;
    int n_matches = 0;
    const fs::path folder = found.empty() ? fs::path(".") : found;
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
      const fs::path candidate = entry->path().filename();
      if (utils::utf8_subst(candidate.string()) != utils::utf8_subst(name.string())) continue;
      match = candidate;
      n_matches++;
    }
    if (n_matches != 1) return "";
    found /= match;
  }
  return found.string();
}

}    // namespace

const char *const LAMMPS_NS::PATH_ADVICE =
    "LAMMPS changes characters of an input that are not ASCII; give this path outside of it: 'lmp "
    "-var file PATH', and '${file}' in the input";

std::string LAMMPS_NS::stored_path(const std::string &path, MPI_Comm world)
{
  int me = 0;
  MPI_Comm_rank(world, &me);
  std::string result;
  std::error_code ignored;
  if (me == 0 && !fs::exists(path, ignored)) result = find(path);
  if (result.empty()) result = path;
  int size = static_cast<int>(result.size());
  MPI_Bcast(&size, 1, MPI_INT, 0, world);
  result.resize(size);
  MPI_Bcast(result.data(), size, MPI_CHAR, 0, world);
  return result;
}

bool LAMMPS_NS::is_cut_by_lammps(const std::string &path)
{
  int n_due = 0;    // bytes that the character still needs
  for (const unsigned char byte : path) {
    const bool continues = (byte & 0xc0U) == 0x80U;
    if (continues != (n_due > 0)) return true;
    if (continues)
      n_due--;
    else if (byte >= 0xc0U)
      n_due = byte < 0xe0U ? 1 : byte < 0xf0U ? 2 : 3;
  }
  return n_due > 0;
}
