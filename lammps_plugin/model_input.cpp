// SPDX-License-Identifier: GPL-2.0-or-later

#include "model_input.h"

#include <stdexcept>

void LAMMPS_NS::refuse_arrays(const std::string &reason)
{
  throw std::runtime_error("its arrays cannot be used (" + reason +
                           "); export the model again with `pwmlff export`");
}
