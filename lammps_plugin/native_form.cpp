// SPDX-License-Identifier: GPL-2.0-or-later

#include "native_form.h"

#include "json.h"

#include <cstdint>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

[[noreturn]] void fail(const std::string &reason)
{
  throw std::runtime_error("its native form cannot be used (" + reason +
                           "); export the model again with `pwmlff export`");
}

// of one number
std::size_t size_of(const std::string &dtype)
{
  if (dtype == "float32") return 4;
  if (dtype == "float64" || dtype == "int64") return 8;
  fail("dtype " + dtype);
}

struct Tensor {
  std::string dtype;
  pwmlff::ArrayView array;
  std::string_view bytes;
};

Tensor tensor_of(const json &entry, const std::string &name, const ZipArchive &archive)
{
  Tensor tensor;
  entry.at("dtype").get_to(tensor.dtype);
  entry.at("shape").get_to(tensor.array.shape);
  tensor.bytes = archive.find(entry.at("record").get<std::string>()).value_or("");
  const std::size_t item = size_of(tensor.dtype);
  std::size_t size = item;
  for (const std::int64_t n : tensor.array.shape) {
    if (n < 0 || (n > 0 && size > SIZE_MAX / static_cast<std::size_t>(n)))
      fail("the shape of '" + name + "'");
    size *= static_cast<std::size_t>(n);
  }
  if (tensor.bytes.size() != size)
    fail("'" + name + "' has " + std::to_string(tensor.bytes.size()) + " bytes, expected " +
         std::to_string(size));
  tensor.array.data = tensor.bytes.data();
  if (reinterpret_cast<std::uintptr_t>(tensor.array.data) % item != 0)
    fail("the numbers of '" + name + "' are not aligned in the file");
  return tensor;
}

using Tensors = std::map<std::string, Tensor>;

pwmlff::ArrayView array_of(const Tensors &tensors, const std::string &name,
                           const std::string &dtype)
{
  const auto found = tensors.find(name);
  if (found == tensors.end()) fail("'" + name + "' is missing");
  if (found->second.dtype != dtype)
    fail("'" + name + "' is " + found->second.dtype + ", expected " + dtype);
  return found->second.array;
}

// one number per type
std::vector<double> numbers_of(const Tensors &tensors, const std::string &name)
{
  const pwmlff::ArrayView array = array_of(tensors, name, "float64");
  if (array.shape.size() != 1) fail("'" + name + "' is no row of numbers");
  return {array.as<double>(), array.as<double>() + array.shape[0]};
}

pwmlff::DpDescription description_of(const json &native, const Tensors &tensors)
{
  pwmlff::DpDescription network;
  network.has_double_nets = native.at("has_double_nets").get<bool>();
  const std::string nets = network.has_double_nets ? "float64" : "float32";
  network.embedding = array_of(tensors, "network.embedding", nets);
  network.fitting = array_of(tensors, "network.fitting", nets);
  network.grids = array_of(tensors, "network.grids", "float64");
  network.mean = array_of(tensors, "network.mean", "float64");
  network.scale = array_of(tensors, "network.scale", "float64");
  native.at("embedding_widths").get_to(network.embedding_widths);
  native.at("fitting_widths").get_to(network.fitting_widths);
  native.at("embedding_activation").get_to(network.embedding_activation);
  native.at("fitting_activation").get_to(network.fitting_activation);
  native.at("inner").get_to(network.inner);
  native.at("outer").get_to(network.outer);
  native.at("n_neighbors").get_to(network.n_neighbors);
  native.at("dx").get_to(network.dx);
  native.at("n_axis").get_to(network.n_axis);
  native.at("has_double_geometry").get_to(network.has_double_geometry);
  return network;
}

std::optional<pwmlff::Zbl> repulsion_of(const json &native, const Tensors &tensors)
{
  const json &repulsion = native.at("repulsion");
  if (repulsion.is_null()) return std::nullopt;
  return pwmlff::Zbl(repulsion.at("inner").get<double>(), repulsion.at("outer").get<double>(),
                     repulsion.at("strength").get<double>(),
                     numbers_of(tensors, "repulsion.0.module.charges"));
}

}    // namespace

NativeForm NativeForm::read(const ExportedFile &file)
{
  NativeForm form;
  try {
    const json native = json::parse(file.metadata_text()).at("native");
    Tensors tensors;
    for (const auto &entry : native.at("tensors").items()) {
      const Tensor tensor = tensor_of(entry.value(), entry.key(), file.archive());
      form.bytes[entry.key()] = tensor.bytes;
      tensors.emplace(entry.key(), tensor);
    }
    form.network = description_of(native, tensors);
    form.energy_shift = numbers_of(tensors, "energy_shift");
    form.repulsion = repulsion_of(native, tensors);
  } catch (const json::exception &error) {
    fail(error.what());
  }
  return form;
}
