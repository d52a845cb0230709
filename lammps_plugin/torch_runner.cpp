// SPDX-License-Identifier: GPL-2.0-or-later
//
// The only part that knows torch: runs any exported model, on the processor or on a GPU.

#include "torch_runner.h"

#include "exported_file.h"
#include "model_digest.h"
#include "model_runner.h"

#include <ATen/Parallel.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/cuda.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

using namespace LAMMPS_NS;

namespace {

// lets torch read the file where it is
class ContentReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit ContentReader(std::string_view content) : content_(content) {}
  std::size_t size() const override { return content_.size(); }
  std::size_t read(std::uint64_t position, void *out, std::size_t n, const char *) const override
  {
    if (position >= content_.size()) return 0;
    const std::size_t n_read = std::min<std::size_t>(n, content_.size() - position);
    std::memcpy(out, content_.data() + position, n_read);
    return n_read;
  }

 private:
  const std::string_view content_;
};

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

torch::jit::Module read_module(std::string_view content)
{
  try {
    return torch::jit::load(std::make_shared<ContentReader>(content), torch::kCPU);
  } catch (const c10::Error &error) {
    throw std::runtime_error("torch cannot read it, it may be truncated or altered (" +
                             first_sentence(error.what_without_backtrace()) +
                             "); export the model again with `pwmlff export`");
  } catch (const torch::jit::ErrorReport &error) {
    throw std::runtime_error("its code does not fit this version of pwmlff (" +
                             first_sentence(error.what()) +
                             "); export the model again with `pwmlff export`");
  }
}

void check_digest_of(const torch::jit::Module &module, const ExportedFile &file)
{
  std::vector<torch::Tensor> kept;    // views point into them
  std::map<std::string, std::string_view> tensors;
  const auto add = [&](const std::string &name, const torch::Tensor &tensor) {
    kept.push_back(tensor.detach().contiguous());
    tensors[name] = {static_cast<const char *>(kept.back().const_data_ptr()), kept.back().nbytes()};
  };
  for (const auto &entry : module.named_parameters()) add(entry.name, entry.value);
  for (const auto &entry : module.named_buffers()) add(entry.name, entry.value);
  check_digest(file.metadata_text(), tensors, file.digest());
}

bool ends_with(const std::string &text, const std::string &tail)
{
  return text.size() >= tail.size() &&
         text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

// an inference form without tables has such a buffer too, and leaves it zero
std::vector<torch::Tensor> overflow_counters(const torch::jit::Module &module, bool has_tables)
{
  std::vector<torch::Tensor> counters;
  if (!has_tables) return counters;
  for (const auto &buffer : module.named_buffers())
    if (ends_with(buffer.name, "table_overflows") && buffer.value.numel() == 2 &&
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

class TorchRunner final : public ModelRunner {
 public:
  TorchRunner(const ExportedFile &file, int cuda)
      : ModelRunner(file.metadata()), device_(device_of(cuda)), module_(read_module(file.content()))
  {
    check_digest_of(module_, file);
    check_number_of_elements();
    module_.eval();
    module_.to(device_);
    overflows_ = overflow_counters(module_, metadata().has_tables);
  }

  void evaluate(PairBlock &block, BlockResult &result) override;
  TableOverflows table_overflows() const override;
  void set_threads(int n_threads) override { at::set_num_threads(n_threads); }
  std::string backend() const override
  {
    return std::string("torch " TORCH_VERSION) + (device_.is_cuda() ? " on CUDA" : "");
  }

 private:
  void check_number_of_elements() const;

  torch::Device device_;
  torch::jit::Module module_;
  std::vector<torch::Tensor> overflows_;    // [2] int64 each, which the model adds to
};

// every exported model shifts the energies of all its elements; an index beyond them would read
// foreign memory
void TorchRunner::check_number_of_elements() const
{
  for (const auto &buffer : module_.named_buffers())
    if (buffer.name == "energy_shift") {
      metadata().check_number_of_elements(static_cast<std::size_t>(buffer.value.numel()));
      return;
    }
  throw std::runtime_error("it lacks the energy shifts of its elements; export the model again "
                           "with `pwmlff export`");
}

TableOverflows TorchRunner::table_overflows() const
{
  TableOverflows sum;
  for (const torch::Tensor &counter : overflows_) {
    const torch::Tensor values = counter.cpu();    // no copy when it is there already
    sum.nearer += values.const_data_ptr<std::int64_t>()[0];
    sum.beyond += values.const_data_ptr<std::int64_t>()[1];
  }
  return sum;
}

void TorchRunner::evaluate(PairBlock &block, BlockResult &result)
{
  const auto n_atoms = static_cast<std::int64_t>(block.n_atoms());
  const auto n_pairs = static_cast<std::int64_t>(block.n_pairs());
  // blocks differ in size at every call, so nothing would be won by specialising the graph to
  // shapes
  torch::jit::GraphOptimizerEnabledGuard no_specialisation(false);
  try {
    const auto outputs =
        module_
            .forward({view(block.pair_vectors, {n_pairs, 3}, torch::kFloat64, device_),
                      view(block.pair_start, {n_atoms + 1}, torch::kInt64, device_),
                      view(block.pair_types, {n_pairs}, torch::kInt64, device_),
                      view(block.atom_types, {n_atoms}, torch::kInt64, device_)})
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

}    // namespace

extern "C" __attribute__((visibility("default"))) ModelRunner *
pwmlff_create_torch_runner(const ExportedFile &file, int cuda)
{
  return new TorchRunner(file, cuda);
}
