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

// LAMMPS lists neighbours up to cutoff + skin. A pair is written wherever it lies, and stays if it
// is near: whether it is cannot be foretold, so a branch would cost more.
void SystemAdaptor::append_atom(PairBlock &block, int center) const
{
  const int n_listed = list_.numneigh[center];
  const std::size_t first = block.n_pairs();
  block.provide(n_listed);
  const double *const x = atom_.x[0], *const origin = x + 3 * static_cast<std::size_t>(center);
  const int *const listed = list_.firstneigh[center], *const types = atom_.type;
  const int *const type_map = type_map_.data();
  double *const vectors = block.pair_vectors.data() + 3 * first;
  std::int64_t *const pair_types = block.pair_types.data() + first;
  int *const neighbors = block.neighbors.data() + first;
  const double x0 = origin[0], y0 = origin[1], z0 = origin[2];
  std::size_t n = 0;
  for (int k = 0; k < n_listed; k++) {
    const int j = listed[k] & NEIGHMASK, type = type_map[types[j]];
    const double *const place = x + 3 * static_cast<std::size_t>(j);
    const double dx = place[0] - x0, dy = place[1] - y0, dz = place[2] - z0;
    vectors[3 * n] = dx;
    vectors[3 * n + 1] = dy;
    vectors[3 * n + 2] = dz;
    pair_types[n] = type;
    neighbors[n] = j;
    n += static_cast<int>(type >= 0) &
         static_cast<int>(!(dx * dx + dy * dy + dz * dz >= cutoff_squared_));
  }
  block.centers.push_back(center);
  block.atom_types.push_back(type_map[types[center]]);
  block.pair_start.push_back(static_cast<std::int64_t>(first + n));
}
