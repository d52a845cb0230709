// The arrays of a stored model as tensors.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/Dict.h>

#include <string>

#include "stored_model.hpp"

namespace pwmlff {

using NamedTensors = c10::Dict<std::string, at::Tensor>;

// Points into the tensors, which are contiguous and on the processor. Throws for a dtype that no array has.
StoredModel stored_model(const std::string &family, const NamedTensors &tensors);

// A copy.
at::Tensor tensor_of(const Array &array);

}  // namespace pwmlff
