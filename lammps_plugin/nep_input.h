// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef PWMLFF_NEP_INPUT_H
#define PWMLFF_NEP_INPUT_H

#include "model_input.h"
#include "nep_file.h"

namespace LAMMPS_NS {

// what kernels and pair style need of a nep.txt
ModelInput nep_input(NepFile file);

}    // namespace LAMMPS_NS

#endif
