// SPDX-License-Identifier: GPL-2.0-or-later
//
// The reader of what `pwmlff export` wrote: a TorchScript archive with one more file,
// metadata.json, and a digest at its end. pwmlff/models/files describes both.

#ifndef PWMLFF_EXPORTED_MODEL_H
#define PWMLFF_EXPORTED_MODEL_H

#include "model_input.h"
#include "model_source.h"

namespace LAMMPS_NS {

bool is_exported_model(const ModelSource &source);

// Of a model whose family and arrays the file names, these; otherwise its TorchScript, which is not
// looked at here. Throws std::runtime_error where the file is damaged or of another version.
ModelInput read_exported_model(const ModelSource &source);

}    // namespace LAMMPS_NS

#endif
