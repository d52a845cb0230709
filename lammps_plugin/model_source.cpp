// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_source.h"

#include "lmptype.h"
#include "platform.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

using namespace LAMMPS_NS;

namespace {

bool is_first(MPI_Comm world)
{
  int me = 0;
  MPI_Comm_rank(world, &me);
  return me == 0;
}

// 0, or the errno of the failure
int read_file(const std::string &path, std::string &content)
{
  FILE *const file = fopen(path.c_str(), "rb");
  if (!file) return errno;
  char part[65536];
  if (fseek(file, 0, SEEK_END) == 0) content.reserve(std::max(ftell(file), 0L));
  rewind(file);
  for (std::size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;) content.append(part, n);
  const int reason = ferror(file) ? errno : 0;
  fclose(file);
  return reason;
}

}    // namespace

ModelSource::ModelSource(std::string path, MPI_Comm world) : path_(std::move(path)), world_(world)
{
  int is_folder = is_first(world_) && platform::path_is_directory(path_);
  MPI_Bcast(&is_folder, 1, MPI_INT, 0, world_);
  is_folder_ = is_folder;
  if (!is_folder_) content_ = std::make_shared<const std::string>(read(""));
}

bool ModelSource::holds(std::string_view bytes, std::size_t position) const
{
  return content_ && content_->size() >= position + bytes.size() &&
         content_->compare(position, bytes.size(), bytes) == 0;
}

std::shared_ptr<const std::string> ModelSource::content() const
{
  if (is_folder_) throw CannotRead(std::strerror(EISDIR));
  return content_;
}

std::string ModelSource::read(const std::string &name) const
{
  std::string content;
  int reason = 0;
  if (is_first(world_)) reason = read_file(name.empty() ? path_ : path_ + "/" + name, content);
  MPI_Bcast(&reason, 1, MPI_INT, 0, world_);
  if (reason != 0) throw CannotRead(std::strerror(reason));
  bigint size = static_cast<bigint>(content.size());
  MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, world_);
  content.resize(static_cast<std::size_t>(size));
  for (bigint done = 0; done < size; done += MAXSMALLINT)
    MPI_Bcast(content.data() + done, static_cast<int>(std::min<bigint>(size - done, MAXSMALLINT)),
              MPI_CHAR, 0, world_);
  return content;
}
