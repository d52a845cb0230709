// NEP's row in the table of families.
#pragma once

#include <memory>

#include "torch/device_evaluator.hpp"

namespace pwmlff::cuda {

// See families.hpp; the arrays are in core/nep/description.hpp.
std::unique_ptr<const DeviceEvaluator> make_nep(const StoredModel &stored, at::Device device, std::int64_t workspace);

}  // namespace pwmlff::cuda
