// SPDX-License-Identifier: GPL-2.0-or-later
//
// The one symbol of this library that the plugin looks up.

#include "pair_pwmlff.h"

extern "C" __attribute__((visibility("default"))) void *pwmlff_create_pair(LAMMPS_NS::LAMMPS *lmp)
{
  return new LAMMPS_NS::PairPWMLFF(lmp);
}
