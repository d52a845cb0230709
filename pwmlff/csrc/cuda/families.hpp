// From a stored model to one that can be evaluated on a GPU; the counterpart of the core's families.hpp. The table of
// families is in families.cpp.
#pragma once

#include <cstdint>
#include <memory>

#include "torch/device_evaluator.hpp"

namespace pwmlff::cuda {

constexpr std::int64_t kWorkspace = std::int64_t{1} << 28;  // bytes for the intermediates of a chunk of atoms

// The evaluator has copies of all it needs, on the device; its work is queued on ATen's stream. Throws
// std::runtime_error with one line where the family is unknown or an array is missing or does not fit.
std::unique_ptr<const DeviceEvaluator> make_evaluator(const StoredModel &model, at::Device device,
                                                      std::int64_t workspace = kWorkspace);

}  // namespace pwmlff::cuda
