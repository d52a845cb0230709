// SPDX-License-Identifier: GPL-2.0-or-later
//
// pair_style pwmlff model.pt [block_pairs N]
// pair_coeff * * Cu O NULL

#ifndef LMP_PAIR_PWMLFF_H
#define LMP_PAIR_PWMLFF_H

#include "pair.h"

namespace LAMMPS_NS {

class PairPWMLFF : public Pair {
 public:
  PairPWMLFF(class LAMMPS *);
  ~PairPWMLFF() override;

  void compute(int, int) override;
  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;
  double memory_usage() override;

 private:
  struct Impl;
  Impl *impl_;

  void load_model(const char *);
  void forget_elements();
  void evaluate();
  void prepare_targets();
  void tally(const struct PairBlock &, const struct BlockResult &);
  void collect_ghosts();
};

}    // namespace LAMMPS_NS

#endif
