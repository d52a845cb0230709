// SPDX-License-Identifier: GPL-2.0-or-later
//
// The reader of nep.txt, the file of GPUMD for a NEP; pwmlff/models/files/nep_file.py describes it.

#ifndef PWMLFF_NEP_MODEL_H
#define PWMLFF_NEP_MODEL_H

#include "model_input.h"
#include "model_source.h"

namespace LAMMPS_NS {

bool is_nep_model(const ModelSource &source);

// Throws std::runtime_error where the file is damaged, or holds a model that is something else.
ModelInput read_nep_model(const ModelSource &source);

}    // namespace LAMMPS_NS

#endif
