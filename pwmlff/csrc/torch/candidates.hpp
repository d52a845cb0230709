// Many models on the same pairs, for searches that need no derivatives by weights.
//
// Letters: P models, F frames, N atoms, E pairs.
#pragma once

#include <ATen/ATen.h>

#include <tuple>
#include <vector>

#include "torch/model.hpp"

namespace pwmlff {

// Energies [P, N], forces [P, N, 3] and virials [P, F, 3, 3], or [P, 0, 3, 3] where they are not wanted; arguments as
// in PairTensors and FrameTensors, on the processor.
std::tuple<at::Tensor, at::Tensor, at::Tensor> evaluate_candidates(const std::vector<c10::intrusive_ptr<Model>> &models,
                                                                   const at::Tensor &vectors, const at::Tensor &start,
                                                                   const at::Tensor &pair_types,
                                                                   const at::Tensor &atom_types,
                                                                   const at::Tensor &neighbors,
                                                                   const at::Tensor &frame_start, bool with_virials);

}  // namespace pwmlff
