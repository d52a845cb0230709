// SPDX-License-Identifier: GPL-2.0-or-later

#include "nep_model.h"

#include "nep_input.h"
#include "nep_parser.h"

using namespace LAMMPS_NS;

bool LAMMPS_NS::is_nep_model(const ModelSource &source)
{
  return source.holds("nep", 0);
}

ModelInput LAMMPS_NS::read_nep_model(const ModelSource &source)
{
  return nep_input(parse_nep(*source.content()));
}
