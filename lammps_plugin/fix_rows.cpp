// SPDX-License-Identifier: GPL-2.0-or-later

#include "fix_rows.h"

#include "lammps.h"
#include "modify.h"

#include <utility>

using namespace LAMMPS_NS;

namespace {

constexpr const char *STYLE = "PWMLFF/ROWS";    // capitals: internal, as LAMMPS has it

Fix *create(LAMMPS *lmp, int narg, char **arg)
{
  return new FixPWMLFFRows(lmp, narg, arg);
}

}    // namespace

FixPWMLFFRows::FixPWMLFFRows(LAMMPS *lmp, int narg, char **arg) : Fix(lmp, narg, arg)
{
  nevery = 1;
  dynamic_group_allow = 1;
}

void FixPWMLFFRows::put_last(LAMMPS *lmp, const std::string &id,
                             std::function<void()> at_end_of_step)
{
  Modify *const modify = lmp->modify;
  Fix *fix = modify->get_fix_by_id(id);
  if (fix && fix == modify->fix[modify->nfix - 1]) return;
  remove(lmp, id);
  (*modify->fix_map)[STYLE] = &create;
  fix = modify->add_fix(id + " all " + STYLE, 0);
  static_cast<FixPWMLFFRows *>(fix)->at_end_of_step_ = std::move(at_end_of_step);
}

void FixPWMLFFRows::remove(LAMMPS *lmp, const std::string &id)
{
  if (lmp->modify && lmp->modify->get_fix_by_id(id)) lmp->modify->delete_fix(id);
}

int FixPWMLFFRows::setmask()
{
  return FixConst::END_OF_STEP;
}

void FixPWMLFFRows::end_of_step()
{
  if (at_end_of_step_) at_end_of_step_();
}
