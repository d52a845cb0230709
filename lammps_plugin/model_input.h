// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the reader of a model file hands to who runs the model.

#ifndef PWMLFF_MODEL_INPUT_H
#define PWMLFF_MODEL_INPUT_H

#include "model_metadata.h"

#include "stored_model.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace LAMMPS_NS {

// A model that only its own TorchScript code computes: a program of whoever wrote the file.
struct ScriptModel {
  std::string_view archive;
};

struct ModelInput {
  ModelMetadata metadata;
  std::variant<pwmlff::StoredModel, ScriptModel> model;
  std::shared_ptr<const void> memory;    // what `model` points to

  const pwmlff::StoredModel *stored() const { return std::get_if<pwmlff::StoredModel>(&model); }
};

// Says that the arrays of a model do not make one; throws std::runtime_error.
[[noreturn]] void refuse_arrays(const std::string &reason);

}    // namespace LAMMPS_NS

#endif
