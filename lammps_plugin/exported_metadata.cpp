// SPDX-License-Identifier: GPL-2.0-or-later

#include "exported_metadata.h"

#include "elements.h"
#include "json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

constexpr std::size_t LONGEST_NAME = 100;
constexpr double LARGEST_CUTOFF = 20.0;    // Angstrom; as in run files

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
  const std::string result = value.get<std::string>();
  expect(result.size() <= LONGEST_NAME &&
             std::all_of(result.begin(), result.end(), [](char c) { return ' ' <= c && c <= '~'; }),
         "its " + name + " is not a name of up to " + std::to_string(LONGEST_NAME) +
             " printable characters");
  return result;
}

std::int64_t whole_number(const json &size)
{
  if (!size.is_number_unsigned() || size.get<std::uint64_t>() > INT64_MAX)
    throw std::runtime_error("its shape holds something that is no size");
  return size.get<std::int64_t>();
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

void check_unit(const json &metadata, const std::string &quantity, const std::string &expected)
{
  const json &units = field(metadata, "units");
  expect(units.is_object() && units.contains(quantity), "its units lack that of " + quantity);
  const std::string unit = text(units, quantity);
  expect(unit == expected, "its unit of " + quantity + " is " + unit + ", expected " + expected);
}

ModelMetadata model_of(const json &metadata)
{
  ModelMetadata model;
  const json &cutoff = field(metadata, "cutoff");
  expect(cutoff.is_number() && std::isfinite(cutoff.get<double>()) && cutoff.get<double>() > 0.0,
         "its cutoff is not a positive number");
  model.cutoff = cutoff.get<double>();
  expect(model.cutoff <= LARGEST_CUTOFF,
         "its cutoff is " + cutoff.dump() + " Angstrom, expected at most 20");

  const json &elements = field(metadata, "elements");
  expect(elements.is_array() && !elements.empty(), "its element list is empty");
  for (const json &element : elements) {
    expect(element.is_string(), "its element list holds something that is not a name");
    const std::string name = element.get<std::string>();
    expect(atomic_number(name) > 0, "its element list holds '" + name + "', which is no element");
    expect(std::find(model.elements.begin(), model.elements.end(), name) == model.elements.end(),
           "its element list holds '" + name + "' twice");
    model.elements.push_back(name);
  }

  model.dtype = text(metadata, "dtype");
  expect(model.dtype == "float64" || model.dtype == "mixed" || model.dtype == "float32",
         "its dtype is \"" + model.dtype + "\", expected \"float64\", \"mixed\" or \"float32\"");
  model.has_tables = metadata.contains("table") && !metadata["table"].is_null();
  model.model_type = text(metadata, "model_type");
  return model;
}

std::map<std::string, ArrayEntry> arrays_of(const json &metadata)
{
  std::map<std::string, ArrayEntry> arrays;
  expect(field(metadata, "arrays").is_object(), "its arrays are no table");
  for (const auto &item : field(metadata, "arrays").items()) {
    ArrayEntry &entry = arrays[item.key()];
    try {
      item.value().at("record").get_to(entry.record);
      item.value().at("dtype").get_to(entry.dtype);
      for (const json &size : item.value().at("shape")) entry.shape.push_back(whole_number(size));
    } catch (const std::exception &error) {
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
  check_unit(metadata, "length", "angstrom");
  check_unit(metadata, "energy", "eV");
  ExportedMetadata result;
  result.model = model_of(metadata);
  if (!field(metadata, "family").is_null()) {
    result.family = text(metadata, "family");
    result.arrays = arrays_of(metadata);
    result.model.knows_shortest = result.arrays.count("shortest") > 0;
  }
  return result;
}
