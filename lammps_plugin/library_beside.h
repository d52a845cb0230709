// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_LIBRARY_BESIDE_H
#define PWMLFF_LIBRARY_BESIDE_H

#include <dlfcn.h>

#include <cstdlib>
#include <string>

// Loads a library that lies in the folder of the calling one; null when it cannot, and dlerror()
// tells why.
//
// LAMMPS exports a slow dgemm_ of its own, which would take the place of the one in torch: let
// libraries look at home first. Not with a preloaded allocator, whose malloc they would miss while
// LAMMPS uses it.
static inline void *load_library_beside(const std::string &name)
{
  std::string folder;
  Dl_info self;
  if (dladdr(reinterpret_cast<void *>(&load_library_beside), &self)) {
    const std::string path = self.dli_fname;
    folder = path.substr(0, path.rfind('/') + 1);
  }
  const char *preload = std::getenv("LD_PRELOAD");
  const int flags = RTLD_NOW | RTLD_LOCAL | (preload && *preload ? 0 : RTLD_DEEPBIND);
  return dlopen((folder + name).c_str(), flags);
}

#endif
