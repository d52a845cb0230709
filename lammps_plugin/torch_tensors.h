// SPDX-License-Identifier: GPL-2.0-or-later
//
// What all models in torch share: the device, blocks as tensors and back, messages.

#ifndef PWMLFF_TORCH_TENSORS_H
#define PWMLFF_TORCH_TENSORS_H

#include "pair_block.h"

#include <ATen/ATen.h>

#include <string>

namespace LAMMPS_NS {

// `cuda` as in make_model_runner(); throws std::runtime_error where there is no such device
at::Device torch_device(int cuda);

// what computes, in words
std::string torch_backend(at::Device device);

// A block on a device; on the processor the tensors point into the block.
struct BlockTensors {
  BlockTensors(PairBlock &block, at::Device device);

  at::Tensor pair_vectors, pair_start, pair_types, atom_types;
};

// throws std::runtime_error where the tensors are not what belongs to the block
void copy_result(const at::Tensor &atomic_energies, const at::Tensor &pair_gradients,
                 const PairBlock &block, BlockResult &result);

// of torch's often long messages
std::string first_sentence(const std::string &text);

}    // namespace LAMMPS_NS

#endif
