// SPDX-License-Identifier: GPL-2.0-or-later

#include "nep_input.h"

#include "elements.h"

#include <algorithm>
#include <type_traits>
#include <utility>

using namespace LAMMPS_NS;

namespace {

constexpr double COULOMB = 14.399645;    // of two unit charges, eV Angstrom; as in pwmlff/units.py

// The numbers that the arrays of a model point to; stays where it is.
struct Memory {
  NepFile file;
  std::int64_t double_geometry = 1;
  double strength = COULOMB;
  std::vector<double> ranges, screening, charges;    // of the repulsion: [T, T, 2], [T, T, 8], [T]
};

void add_repulsion(Memory &memory, pwmlff::StoredModel &model)
{
  constexpr std::int64_t n_range = 2, n_screening = NepFile::N_PAIR_NUMBERS - n_range;
  const NepFile &file = memory.file;
  for (auto row = file.repulsion.begin(); row != file.repulsion.end();
       row += NepFile::N_PAIR_NUMBERS) {
    memory.ranges.insert(memory.ranges.end(), row, row + n_range);
    memory.screening.insert(memory.screening.end(), row + n_range, row + NepFile::N_PAIR_NUMBERS);
  }
  for (const std::string &element : file.elements) memory.charges.push_back(atomic_number(element));
  const std::int64_t n_types = file.n_types();
  const auto add = [&model](const char *name, pwmlff::Shape shape, const double *numbers) {
    model.arrays[name] = {pwmlff::DType::float64, std::move(shape), numbers};
  };
  add("repulsion.range", {n_types, n_types, n_range}, memory.ranges.data());
  add("repulsion.screening", {n_types, n_types, n_screening}, memory.screening.data());
  add("repulsion.strength", {}, &memory.strength);
  add("repulsion.charges", {n_types}, memory.charges.data());
}

// the arrays of pwmlff/csrc/core/nep/description.hpp
pwmlff::StoredModel stored_model(Memory &memory)
{
  pwmlff::StoredModel model{"nep", {}};
  const NepFile &file = memory.file;
  const std::int64_t n_types = file.n_types();
  const auto add = [&model](const char *name, pwmlff::Shape shape, const auto *numbers) {
    constexpr bool is_real = std::is_same_v<decltype(numbers), const double *>;
    model.arrays[name] = {is_real ? pwmlff::DType::float64 : pwmlff::DType::int64, std::move(shape),
                          numbers};
  };
  add("cutoff", {n_types, 2}, file.cutoffs.data());
  add("l_max", {}, &file.l_max);
  add("extras", {NepFile::N_EXTRAS}, file.extras.data());
  add("radial", {n_types, n_types, file.n_radial, file.k_radial}, file.radial.data());
  add("angular", {n_types, n_types, file.n_angular, file.k_angular}, file.angular.data());
  add("net", {n_types, file.n_neurons * (file.width() + 2) + 1}, file.nets.data());
  add("scaler", {file.width()}, file.scaler.data());
  add("double_geometry", {}, &memory.double_geometry);
  if (!file.repulsion.empty()) add_repulsion(memory, model);
  return model;
}

}    // namespace

ModelInput LAMMPS_NS::nep_input(NepFile file)
{
  const auto memory = std::make_shared<Memory>();
  memory->file = std::move(file);
  ModelMetadata metadata;
  metadata.model_type = "NEP";
  metadata.dtype = "float64";
  metadata.elements = memory->file.elements;
  metadata.cutoff = *std::max_element(memory->file.cutoffs.begin(), memory->file.cutoffs.end());
  return {metadata, stored_model(*memory), memory};
}
