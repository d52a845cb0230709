// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_metadata.h"

#include <stdexcept>

using namespace LAMMPS_NS;

void ModelMetadata::check_reach(double reach) const
{
  if (!(reach <= cutoff * (1 + 1e-9)))
    throw std::runtime_error("its cutoff is " + std::to_string(cutoff) +
                             " Angstrom, but its arrays reach to " + std::to_string(reach) +
                             "; export the model again with `pwmlff export`");
}

void ModelMetadata::check_number_of_elements(std::int64_t n_with_weights) const
{
  if (static_cast<std::int64_t>(elements.size()) != n_with_weights)
    throw std::runtime_error("it names " + std::to_string(elements.size()) +
                             " elements, but has weights for " + std::to_string(n_with_weights) +
                             "; export the model again with `pwmlff export`");
}
