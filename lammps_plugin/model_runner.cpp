// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_runner.h"

#include "sha256.h"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/cuda.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <vector>

using namespace LAMMPS_NS;

struct ModelRunner::Impl {
  torch::jit::Module module;
  torch::Device device = torch::kCPU;
  ModelMetadata metadata;
  std::vector<torch::Tensor> overflows;    // [2] int64 each, which the model adds to
};

namespace {

constexpr const char *METADATA_FILE = "metadata.json", *DIGEST_FILE = "sha256",
                     *OVERFLOWS = "table_overflows";

// the first sentence of torch's often long messages
std::string first_sentence(const std::string &text)
{
  const std::size_t start = std::min(text.find_first_not_of("\n "), text.size());
  return text.substr(start, std::min(text.find('\n', start), text.find(". ", start)) - start);
}

// the last line of a TorchScript traceback is what went wrong, the rest is where
std::string last_line(const std::string &text)
{
  const std::size_t end = text.find_last_not_of("\n ");
  if (end == std::string::npos) return text;
  const std::size_t start = text.rfind('\n', end);
  return text.substr(start == std::string::npos ? 0 : start + 1,
                     end - (start == std::string::npos ? -1 : start));
}

void check_kind_of_file(const std::string &content)
{
  if (content.empty())
    throw std::runtime_error("it is empty; export the model again with `pwmlff export`");
  // safetensors: 8 bytes of length, then JSON
  if (content.size() > 9 && content.compare(8, 2, "{\"") == 0)
    throw std::runtime_error("it is a checkpoint; LAMMPS runs what `pwmlff export` makes of it");
  if (content.compare(0, 4, "PK\x03\x04") != 0)
    throw std::runtime_error("it is not a model that `pwmlff export` wrote");
}

// of the metadata, then of all parameters and buffers in the order of their names: name and numbers
std::string digest(const std::string &metadata, const torch::jit::Module &module)
{
  std::map<std::string, torch::Tensor> tensors;
  for (const auto &entry : module.named_parameters()) tensors[entry.name] = entry.value;
  for (const auto &entry : module.named_buffers()) tensors[entry.name] = entry.value;
  Sha256 sha;
  sha.update(metadata.data(), metadata.size());
  for (const auto &[name, tensor] : tensors) {
    const torch::Tensor values = tensor.detach().contiguous();
    sha.update(name.data(), name.size());
    sha.update(values.const_data_ptr(), values.nbytes());
  }
  return sha.hex_digest();
}

// every exported model shifts the energies of all its elements; an index beyond them would read
// foreign memory
void check_number_of_elements(const ModelMetadata &metadata, const torch::jit::Module &module)
{
  for (const auto &buffer : module.named_buffers()) {
    if (buffer.name != "energy_shift") continue;
    const std::size_t n_elements = metadata.elements.size();
    if (static_cast<std::size_t>(buffer.value.numel()) != n_elements)
      throw std::runtime_error(
          "it names " + std::to_string(n_elements) + " elements, but has weights for " +
          std::to_string(buffer.value.numel()) + "; export the model again with `pwmlff export`");
    return;
  }
  throw std::runtime_error("it lacks the energy shifts of its elements; export the model again "
                           "with `pwmlff export`");
}

bool ends_with(const std::string &text, const std::string &tail)
{
  return text.size() >= tail.size() &&
         text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

// an inference form without tables has such a buffer too, and leaves it zero
std::vector<torch::Tensor> overflow_counters(const ModelMetadata &metadata,
                                             const torch::jit::Module &module)
{
  std::vector<torch::Tensor> counters;
  if (!metadata.has_tables) return counters;
  for (const auto &buffer : module.named_buffers())
    if (ends_with(buffer.name, OVERFLOWS) && buffer.value.numel() == 2 &&
        buffer.value.scalar_type() == torch::kInt64)
      counters.push_back(buffer.value);
  return counters;
}

torch::Device device_of(int cuda)
{
  if (cuda < 0) return torch::kCPU;
  const auto n_devices = static_cast<int>(torch::cuda::device_count());
  if (n_devices == 0)
    throw std::runtime_error("device cuda was asked for, but torch " TORCH_VERSION
                             " finds no CUDA device; use 'device cpu', or a CUDA build of torch on "
                             "a machine with a GPU");
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(cuda % n_devices));
}

// no copy as long as the model runs on the processor
template <typename Number>
torch::Tensor view(std::vector<Number> &data, at::IntArrayRef shape, at::ScalarType type,
                   torch::Device device)
{
  return torch::from_blob(data.data(), shape, torch::TensorOptions().dtype(type)).to(device);
}

void copy_result(const torch::Tensor &tensor, std::size_t size, std::vector<double> &out,
                 const char *name)
{
  if (static_cast<std::size_t>(tensor.numel()) != size || tensor.scalar_type() != torch::kFloat64)
    throw std::runtime_error(std::string("the model returned ") + std::to_string(tensor.numel()) +
                             " numbers of " + c10::toString(tensor.scalar_type()) + " as " + name +
                             ", expected " + std::to_string(size) + " of Double");
  const torch::Tensor values = tensor.detach().cpu().contiguous();
  const double *data = values.const_data_ptr<double>();
  out.assign(data, data + size);
}

}    // namespace

ModelRunner::ModelRunner(const std::string &file_content, int cuda) : impl_(new Impl)
{
  impl_->device = device_of(cuda);
  check_kind_of_file(file_content);
  torch::jit::ExtraFilesMap extra{{METADATA_FILE, ""}, {DIGEST_FILE, ""}};
  try {
    std::istringstream stream(file_content);
    impl_->module = torch::jit::load(stream, torch::kCPU, extra);
  } catch (const c10::Error &error) {
    throw std::runtime_error("torch cannot read it, it may be truncated or altered (" +
                             first_sentence(error.what_without_backtrace()) +
                             "); export the model again with `pwmlff export`");
  } catch (const torch::jit::ErrorReport &error) {
    throw std::runtime_error("its code does not fit this version of pwmlff (" +
                             first_sentence(error.what()) +
                             "); export the model again with `pwmlff export`");
  }
  impl_->metadata = ModelMetadata::parse(extra[METADATA_FILE]);
  if (digest(extra[METADATA_FILE], impl_->module) != extra[DIGEST_FILE])
    throw std::runtime_error(
        "it is damaged or was altered: its SHA-256 does not match; export the model again "
        "with `pwmlff export`");
  check_number_of_elements(impl_->metadata, impl_->module);
  impl_->module.eval();
  impl_->module.to(impl_->device);
  impl_->overflows = overflow_counters(impl_->metadata, impl_->module);
}

ModelRunner::~ModelRunner() = default;

const ModelMetadata &ModelRunner::metadata() const
{
  return impl_->metadata;
}

bool ModelRunner::has_tables() const
{
  return !impl_->overflows.empty();
}

TableOverflows ModelRunner::table_overflows() const
{
  TableOverflows sum;
  for (const torch::Tensor &counter : impl_->overflows) {
    const torch::Tensor values = counter.cpu();    // no copy when it is there already
    sum.nearer += values.const_data_ptr<std::int64_t>()[0];
    sum.beyond += values.const_data_ptr<std::int64_t>()[1];
  }
  return sum;
}

void ModelRunner::set_threads(int n_threads)
{
  at::set_num_threads(n_threads);
}

void ModelRunner::evaluate(PairBlock &block, BlockResult &result)
{
  const auto n_atoms = static_cast<std::int64_t>(block.n_atoms());
  const auto n_pairs = static_cast<std::int64_t>(block.n_pairs());
  // blocks differ in size at every call, so nothing would be won by specialising the graph to
  // shapes
  torch::jit::GraphOptimizerEnabledGuard no_specialisation(false);
  const torch::Device device = impl_->device;
  try {
    const auto outputs =
        impl_->module
            .forward({view(block.pair_vectors, {n_pairs, 3}, torch::kFloat64, device),
                      view(block.pair_start, {n_atoms + 1}, torch::kInt64, device),
                      view(block.pair_types, {n_pairs}, torch::kInt64, device),
                      view(block.atom_types, {n_atoms}, torch::kInt64, device)})
            .toTuple();
    copy_result(outputs->elements()[0].toTensor(), block.n_atoms(), result.atomic_energies,
                "atomic energies");
    copy_result(outputs->elements()[1].toTensor(), 3 * block.n_pairs(), result.pair_gradients,
                "pair gradients");
  } catch (const c10::Error &error) {
    throw std::runtime_error(first_sentence(error.what_without_backtrace()));
  } catch (const torch::jit::JITException &error) {
    throw std::runtime_error(last_line(error.what()));
  }
}
