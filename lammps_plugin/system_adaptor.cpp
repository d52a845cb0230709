// SPDX-License-Identifier: GPL-2.0-or-later

#include "system_adaptor.h"

#include "atom.h"
#include "neigh_list.h"

using namespace LAMMPS_NS;

SystemAdaptor::SystemAdaptor(const Atom &atom, const NeighList &list,
                             const std::vector<int> &type_map, double cutoff,
                             std::size_t pairs_per_block)
    : atom_(atom), list_(list), type_map_(type_map), cutoff_squared_(cutoff * cutoff),
      pairs_per_block_(pairs_per_block)
{
}

bool SystemAdaptor::next(PairBlock &block)
{
  block.clear();
  while (position_ < list_.inum && block.n_pairs() < pairs_per_block_ &&
         block.n_atoms() < pairs_per_block_) {
    const int center = list_.ilist[position_++];
    if (type_map_[atom_.type[center]] >= 0) append_atom(block, center);
  }
  return block.n_atoms() > 0;
}

void SystemAdaptor::append_atom(PairBlock &block, int center) const
{
  const double *const origin = atom_.x[center];
  const int *const neighbors = list_.firstneigh[center];
  for (int k = 0; k < list_.numneigh[center]; k++) {
    const int j = neighbors[k] & NEIGHMASK;
    const int type = type_map_[atom_.type[j]];
    if (type < 0) continue;
    const double dx = atom_.x[j][0] - origin[0];
    const double dy = atom_.x[j][1] - origin[1];
    const double dz = atom_.x[j][2] - origin[2];
    // LAMMPS lists neighbours up to cutoff + skin
    if (dx * dx + dy * dy + dz * dz >= cutoff_squared_) continue;
    block.pair_vectors.insert(block.pair_vectors.end(), {dx, dy, dz});
    block.pair_types.push_back(type);
    block.neighbors.push_back(j);
  }
  block.centers.push_back(center);
  block.atom_types.push_back(type_map_[atom_.type[center]]);
  block.pair_start.push_back(static_cast<std::int64_t>(block.n_pairs()));
}
