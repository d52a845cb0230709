// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_file.h"

#include "lmptype.h"
#include "platform.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

using namespace LAMMPS_NS;

std::string LAMMPS_NS::read_on_all_ranks(const std::string &path, MPI_Comm world, int me,
                                         std::string &problem)
{
  std::string content;
  bigint size = -1;
  int reason = 0;
  if (me == 0) {
    if (FILE *file = platform::path_is_directory(path) ? nullptr : fopen(path.c_str(), "rb")) {
      char part[65536];
      if (fseek(file, 0, SEEK_END) == 0) content.reserve(std::max(ftell(file), 0L));
      rewind(file);
      for (std::size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;) content.append(part, n);
      if (!ferror(file)) size = static_cast<bigint>(content.size());
      reason = errno;
      fclose(file);
    } else {
      reason = platform::path_is_directory(path) ? EISDIR : errno;
    }
  }
  MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, world);
  MPI_Bcast(&reason, 1, MPI_INT, 0, world);
  if (size < 0) {
    problem = std::strerror(reason);
    return "";
  }
  content.resize(static_cast<std::size_t>(size));
  for (bigint done = 0; done < size; done += MAXSMALLINT)
    MPI_Bcast(content.data() + done, static_cast<int>(std::min<bigint>(size - done, MAXSMALLINT)),
              MPI_CHAR, 0, world);
  return content;
}
