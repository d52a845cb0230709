// SPDX-License-Identifier: GPL-2.0-or-later

#include "torch_tensors.h"

#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

using namespace LAMMPS_NS;

namespace {

// no copy as long as the model runs on the processor
template <typename Number>
at::Tensor view(std::vector<Number> &data, at::IntArrayRef shape, at::ScalarType type,
                at::Device device)
{
  return at::from_blob(data.data(), shape, at::TensorOptions().dtype(type)).to(device);
}

void copy_tensor(const at::Tensor &tensor, std::size_t size, std::vector<double> &out,
                 const char *name)
{
  if (static_cast<std::size_t>(tensor.numel()) != size || tensor.scalar_type() != at::kDouble)
    throw std::runtime_error(std::string("the model returned ") + std::to_string(tensor.numel()) +
                             " numbers of " + c10::toString(tensor.scalar_type()) + " as " + name +
                             ", expected " + std::to_string(size) + " of Double");
  const at::Tensor values = tensor.detach().cpu().contiguous();
  const double *data = values.const_data_ptr<double>();
  out.assign(data, data + size);
}

}    // namespace

at::Device LAMMPS_NS::torch_device(int cuda)
{
  if (cuda < 0) return at::kCPU;
  const auto n_devices = static_cast<int>(torch::cuda::device_count());
  if (n_devices == 0)
    throw std::runtime_error("device cuda was asked for, but torch " TORCH_VERSION
                             " finds no CUDA device; use 'device cpu', or a CUDA build of torch on "
                             "a machine with a GPU");
  return {at::kCUDA, static_cast<c10::DeviceIndex>(cuda % n_devices)};
}

std::string LAMMPS_NS::torch_backend(at::Device device)
{
  return std::string("torch " TORCH_VERSION) + (device.is_cuda() ? " on CUDA" : "");
}

BlockTensors::BlockTensors(PairBlock &block, at::Device device)
{
  const auto n_atoms = static_cast<std::int64_t>(block.n_atoms());
  const auto n_pairs = static_cast<std::int64_t>(block.n_pairs());
  pair_vectors = view(block.pair_vectors, {n_pairs, 3}, at::kDouble, device);
  pair_start = view(block.pair_start, {n_atoms + 1}, at::kLong, device);
  pair_types = view(block.pair_types, {n_pairs}, at::kLong, device);
  atom_types = view(block.atom_types, {n_atoms}, at::kLong, device);
}

void LAMMPS_NS::copy_result(const at::Tensor &atomic_energies, const at::Tensor &pair_gradients,
                            const PairBlock &block, BlockResult &result)
{
  copy_tensor(atomic_energies, block.n_atoms(), result.atomic_energies, "atomic energies");
  copy_tensor(pair_gradients, 3 * block.n_pairs(), result.pair_gradients, "pair gradients");
}

std::string LAMMPS_NS::first_sentence(const std::string &text)
{
  const std::size_t start = std::min(text.find_first_not_of("\n "), text.size());
  return text.substr(start, std::min(text.find('\n', start), text.find(". ", start)) - start);
}
