// SPDX-License-Identifier: GPL-2.0-or-later
//
// The kinds of model files that the pair style meets. What it does with a model depends on what the
// file holds, never on its kind.

#ifndef PWMLFF_MODEL_KINDS_H
#define PWMLFF_MODEL_KINDS_H

#include "model_input.h"
#include "model_source.h"

#include <string>

namespace LAMMPS_NS {

// whether a word of an input names a model: all kinds have a usual ending
bool has_name_of_model(const std::string &word);

// Throws CannotRead, or std::runtime_error saying why there is no model.
ModelInput read_model(const ModelSource &source);

}    // namespace LAMMPS_NS

#endif
