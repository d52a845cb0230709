// SPDX-License-Identifier: GPL-2.0-or-later
//
// The only part that reads LAMMPS's atoms and neighbour lists.

#ifndef PWMLFF_SYSTEM_ADAPTOR_H
#define PWMLFF_SYSTEM_ADAPTOR_H

#include "pair_block.h"

#include <vector>

namespace LAMMPS_NS {

class Atom;
class NeighList;

// Cuts the atoms of this rank into blocks of about `pairs_per_block` pairs, so that memory does not
// grow with the number of atoms.
class SystemAdaptor {
 public:
  // type_map[t] is the model's type of LAMMPS type t (from 1), or -1 where the model has no say
  SystemAdaptor(const Atom &atom, const NeighList &list, const std::vector<int> &type_map,
                double cutoff, std::size_t pairs_per_block);

  // fills the block with the next atoms; false when there are none left
  bool next(PairBlock &block);

 private:
  void append_atom(PairBlock &block, int center) const;

  const Atom &atom_;
  const NeighList &list_;
  const std::vector<int> &type_map_;
  const double cutoff_squared_;
  const std::size_t pairs_per_block_;
  int position_ = 0;
};

}    // namespace LAMMPS_NS

#endif
