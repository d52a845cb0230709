// SPDX-License-Identifier: GPL-2.0-or-later
//
// The one symbol of this library that the pair style looks up.

#include "torch_runner.h"

#include "script_runner.h"
#include "stored_runner.h"

using namespace LAMMPS_NS;

extern "C" __attribute__((visibility("default"))) ModelRunner *
pwmlff_create_torch_runner(const ModelInput &input, int cuda)
{
  if (input.stored()) return new StoredRunner(input, cuda);
  return new ScriptRunner(input, cuda);
}
