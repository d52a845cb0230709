// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tells the pair style that a step ends, and lets `fix pair` have the last values of a step. Made
// by the pair style itself, not by an input.

#ifndef LMP_FIX_PWMLFF_ROWS_H
#define LMP_FIX_PWMLFF_ROWS_H

#include "fix.h"

#include <functional>
#include <string>

namespace LAMMPS_NS {

class FixPWMLFFRows : public Fix {
 public:
  FixPWMLFFRows(class LAMMPS *, int, char **);

  // Makes the fix or makes it anew, as the last of all: other fixes may still move atoms or change
  // the box when a step ends. `at_end_of_step` says whether it has evaluated the models again.
  static void put_last(class LAMMPS *, const std::string &id, std::function<bool()> at_end_of_step);
  static void remove(class LAMMPS *, const std::string &id);

  int setmask() override;
  void setup(int) override;
  void min_setup(int) override;
  void post_force(int) override;
  void min_post_force(int) override;
  void end_of_step() override;

 private:
  std::function<bool()> at_end_of_step_;
};

}    // namespace LAMMPS_NS

#endif
