// SPDX-License-Identifier: GPL-2.0-or-later

#include "exported_metadata.h"

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

const json &field(const json &metadata, const std::string &name)
{
  expect(metadata.contains(name), "its metadata lacks '" + name + "'");
  return metadata[name];
}

std::string text(const json &metadata, const std::string &name)
{
  const json &value = field(metadata, name);
  expect(value.is_string(), "its " + name + " is not a text");
  return value.get<std::string>();
}

void check_version(const json &metadata)
{
  const json &version = field(metadata, "format_version");
  expect(version.is_number_integer(), "its format_version is not a number");
  if (version != ExportedMetadata::FORMAT_VERSION)
    throw std::runtime_error("it has format version " + version.dump() +
                             ", this plugin reads version " +
                             std::to_string(ExportedMetadata::FORMAT_VERSION) +
                             "; export the model again with this version's `pwmlff export`");
}

ModelMetadata model_of(const json &metadata)
{
  ModelMetadata model;
  const json &cutoff = field(metadata, "cutoff");
  expect(cutoff.is_number() && std::isfinite(cutoff.get<double>()) && cutoff.get<double>() > 0.0,
         "its cutoff is not a positive number");
  model.cutoff = cutoff.get<double>();

  const json &elements = field(metadata, "elements");
  expect(elements.is_array() && !elements.empty(), "its element list is empty");
  for (const json &element : elements) {
    expect(element.is_string(), "its element list holds something that is not a name");
    model.elements.push_back(element.get<std::string>());
  }

  const json &dtype = field(metadata, "dtype");
  expect(dtype == "float64" || dtype == "mixed" || dtype == "float32",
         "its dtype is " + dtype.dump() + ", expected \"float64\", \"mixed\" or \"float32\"");
  model.dtype = dtype.get<std::string>();
  model.has_tables = metadata.contains("table") && !metadata["table"].is_null();
  model.model_type = text(metadata, "model_type");
  return model;
}

std::map<std::string, ArrayEntry> arrays_of(const json &metadata)
{
  std::map<std::string, ArrayEntry> arrays;
  for (const auto &item : field(metadata, "arrays").items()) {
    ArrayEntry &entry = arrays[item.key()];
    try {
      item.value().at("record").get_to(entry.record);
      item.value().at("dtype").get_to(entry.dtype);
      item.value().at("shape").get_to(entry.shape);
    } catch (const json::exception &error) {
      expect(false, "its array '" + item.key() + "' cannot be found (" + error.what() + ")");
    }
  }
  return arrays;
}

}    // namespace

ExportedMetadata ExportedMetadata::parse(const std::string &json_text)
{
  expect(!json_text.empty(), "it is TorchScript without pwmlff metadata (metadata.json)");
  const json metadata = json::parse(json_text, nullptr, false);
  expect(!metadata.is_discarded() && metadata.is_object(), "its metadata.json is not valid JSON");
  check_version(metadata);
  ExportedMetadata result;
  result.model = model_of(metadata);
  if (!field(metadata, "family").is_null()) {
    result.family = text(metadata, "family");
    result.arrays = arrays_of(metadata);
    result.model.knows_shortest = result.arrays.count("shortest") > 0;
  }
  return result;
}
