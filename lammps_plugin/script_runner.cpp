// SPDX-License-Identifier: GPL-2.0-or-later

#include "script_runner.h"

#include "torch_tensors.h"

#include <ATen/Parallel.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/jit_exception.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

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

// the last line of a TorchScript traceback is what went wrong, the rest is where
std::string last_line(const std::string &text)
{
  const std::size_t end = text.find_last_not_of("\n ");
  if (end == std::string::npos) return text;
  const std::size_t start = text.rfind('\n', end);
  return text.substr(start == std::string::npos ? 0 : start + 1,
                     end - (start == std::string::npos ? -1 : start));
}

torch::jit::Module read_module(std::string_view archive)
{
  try {
    return torch::jit::load(std::make_shared<ContentReader>(archive), at::kCPU);
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

}    // namespace

ScriptRunner::ScriptRunner(const ModelInput &input, int cuda)
    : ModelRunner(input.metadata), device_(torch_device(cuda)),
      module_(read_module(std::get<ScriptModel>(input.model).archive))
{
  check_number_of_elements();
  find_shortest();
  module_.eval();
  module_.to(device_);
}

// Every exported model shifts the energies of all its elements, see
// pwmlff/models/files/exported.py; an index beyond them would read foreign memory.
void ScriptRunner::check_number_of_elements() const
{
  for (const auto &buffer : module_.named_buffers())
    if (buffer.name == "potential.energy_shift") {
      metadata().check_number_of_elements(buffer.value.numel());
      return;
    }
  throw std::runtime_error("it lacks the energy shifts of its elements; export the model again "
                           "with `pwmlff export`");
}

void ScriptRunner::find_shortest()
{
  const auto n_types = static_cast<std::int64_t>(metadata().elements.size());
  for (const auto &buffer : module_.named_buffers()) {
    const at::Tensor &distances = buffer.value;
    if (buffer.name == "potential.shortest" && distances.scalar_type() == at::kDouble &&
        distances.sizes() == at::IntArrayRef({n_types, n_types}) && distances.any().item<bool>())
      shortest_.emplace(distances.contiguous().const_data_ptr<double>(), n_types);
  }
}

void ScriptRunner::set_threads(int n_threads)
{
  at::set_num_threads(n_threads);
}

std::string ScriptRunner::backend() const
{
  return torch_backend(device_);
}

void ScriptRunner::evaluate(PairBlock &block, BlockResult &result)
{
  // blocks differ in size at every call, so nothing would be won by specialising the graph to
  // shapes
  torch::jit::GraphOptimizerEnabledGuard no_specialisation(false);
  try {
    const BlockTensors in(block, device_);
    const auto outputs =
        module_.forward({in.pair_vectors, in.pair_start, in.pair_types, in.atom_types}).toTuple();
    copy_result(outputs->elements()[0].toTensor(), outputs->elements()[1].toTensor(), block,
                result);
    if (shortest_)
      overflows_.nearer +=
          shortest_->count_nearer({block.pair_vectors.data(), block.pair_start.data(),
                                   block.pair_types.data(), block.atom_types.data()},
                                  0, static_cast<std::int64_t>(block.n_atoms()));
  } catch (const c10::Error &error) {
    throw std::runtime_error(first_sentence(error.what_without_backtrace()));
  } catch (const torch::jit::JITException &error) {
    throw std::runtime_error(last_line(error.what()));
  }
}
