// torch.ops.pwmlff.embedding_contraction on a GPU, differentiable as often as wanted; see ops/reference.py.
#pragma once

#include <ATen/ATen.h>

namespace pwmlff::cuda {

// The net is evaluated by ATen, its contraction with the rows by contraction_device.hpp.
at::Tensor embedding_contraction(const at::Tensor &s, const at::Tensor &rows, const at::Tensor &start,
                                 const at::Tensor &parameters, at::IntArrayRef widths, std::int64_t activation);

}  // namespace pwmlff::cuda
