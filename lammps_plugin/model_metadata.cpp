// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_metadata.h"

#include "json.h"

#include <cmath>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

void expect(bool condition, const std::string &message)
{
  if (!condition)
    throw std::runtime_error(message + "; export the model again with `pwmlff export`");
}

const json &field(const json &metadata, const char *name)
{
  expect(metadata.contains(name), std::string("its metadata lacks '") + name + "'");
  return metadata[name];
}

}    // namespace

ModelMetadata ModelMetadata::parse(const std::string &json_text)
{
  expect(!json_text.empty(), "it is TorchScript without pwmlff metadata (metadata.json)");
  const json metadata = json::parse(json_text, nullptr, false);
  expect(!metadata.is_discarded() && metadata.is_object(), "its metadata.json is not valid JSON");

  const json &version = field(metadata, "format_version");
  expect(version.is_number_integer(), "its format_version is not a number");
  if (version.get<int>() != FORMAT_VERSION)
    throw std::runtime_error("it has format version " + std::to_string(version.get<int>()) +
                             ", this plugin reads version " + std::to_string(FORMAT_VERSION) +
                             "; export and run it with the same version of pwmlff");

  ModelMetadata result;
  const json &cutoff = field(metadata, "cutoff");
  expect(cutoff.is_number() && std::isfinite(cutoff.get<double>()) && cutoff.get<double>() > 0.0,
         "its cutoff is not a positive number");
  result.cutoff = cutoff.get<double>();

  const json &elements = field(metadata, "elements");
  expect(elements.is_array() && !elements.empty(), "its element list is empty");
  for (const json &element : elements) {
    expect(element.is_string(), "its element list holds something that is not a name");
    result.elements.push_back(element.get<std::string>());
  }

  const json &dtype = field(metadata, "dtype");
  expect(dtype == "float64" || dtype == "mixed" || dtype == "float32",
         "its dtype is " + dtype.dump() + ", expected \"float64\", \"mixed\" or \"float32\"");
  result.dtype = dtype.get<std::string>();
  result.has_tables = metadata.contains("table") && !metadata["table"].is_null();
  result.has_native_form = metadata.contains("native") && !metadata["native"].is_null();
  result.model_type = field(metadata, "model_type").get<std::string>();
  result.pwmlff_version = field(metadata, "pwmlff_version").get<std::string>();
  return result;
}

void ModelMetadata::check_number_of_elements(std::size_t n_with_weights) const
{
  expect(elements.size() == n_with_weights, "it names " + std::to_string(elements.size()) +
                                                " elements, but has weights for " +
                                                std::to_string(n_with_weights));
}
