// SPDX-License-Identifier: GPL-2.0-or-later

#include "fix_rows.h"

#include "lammps.h"
#include "modify.h"
#include "update.h"

#include <utility>

using namespace LAMMPS_NS;

namespace {

constexpr const char *STYLE = "PWMLFF/ROWS";    // capitals: internal, as LAMMPS has it

// sets the step again, also where an error is thrown
struct AtStep {
  AtStep(Update &update, bigint step) : update(update), step(step) {}
  ~AtStep() { update.ntimestep = step; }
  AtStep(const AtStep &) = delete;
  AtStep &operator=(const AtStep &) = delete;

  Update &update;
  const bigint step;
};

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
                             std::function<bool()> at_end_of_step)
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
  return FixConst::POST_FORCE | FixConst::MIN_POST_FORCE | FixConst::END_OF_STEP;
}

void FixPWMLFFRows::setup(int vflag)
{
  post_force(vflag);
}

void FixPWMLFFRows::min_setup(int vflag)
{
  post_force(vflag);
}

void FixPWMLFFRows::min_post_force(int vflag)
{
  post_force(vflag);
}

// `fix pair` reads and asks for values once in a step, which are those of the first point of a line
// search or of the structure before Monte Carlo moves. It compares the step with that of its last
// reading: reading them for a step that does not exist, another one each time, makes it read the
// next ones too.
void FixPWMLFFRows::post_force(int vflag)
{
  const AtStep back(*update, update->ntimestep);
  static bigint n = 0;    // of all these fixes, since each of them may meet the same `fix pair`
  n = n % 1000 + 1;
  for (Fix *const fix : modify->get_fix_by_style("^pair$")) {
    if (fix->peratom_freq < 1 || back.step % fix->peratom_freq != 0) continue;
    update->ntimestep = -n * fix->peratom_freq;
    fix->post_force(vflag);
  }
}

void FixPWMLFFRows::end_of_step()
{
  if (at_end_of_step_ && at_end_of_step_()) post_force(0);
}
