// SPDX-License-Identifier: GPL-2.0-or-later
//
// What travels between LAMMPS's arrays and a model: the atoms of one block with all their pairs.

#ifndef PWMLFF_PAIR_BLOCK_H
#define PWMLFF_PAIR_BLOCK_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace LAMMPS_NS {

// N atoms and E directed pairs i -> j, sorted by i. The vectors keep their memory from step to
// step, and those of pairs have room for more than there are.
struct PairBlock {
  std::vector<double> pair_vectors;        // [E, 3] Angstrom, r_j - r_i
  std::vector<std::int64_t> pair_start;    // [N + 1]
  std::vector<std::int64_t> pair_types;    // [E] type of j in the model
  std::vector<std::int64_t> atom_types;    // [N] type of i in the model
  std::vector<int> centers;                // [N] index i in LAMMPS, always a local atom
  std::vector<int> neighbors;              // [E] index j in LAMMPS, local or ghost

  std::size_t n_atoms() const { return centers.size(); }
  std::size_t n_pairs() const { return static_cast<std::size_t>(pair_start.back()); }

  void clear()
  {
    pair_start.assign(1, 0);
    atom_types.clear();
    centers.clear();
  }

  // makes room for so many pairs more
  void provide(std::size_t n_more)
  {
    const std::size_t n = n_pairs() + n_more;
    if (n <= neighbors.size()) return;
    pair_vectors.resize(3 * n);
    pair_types.resize(n);
    neighbors.resize(n);
  }

  double bytes() const
  {
    return static_cast<double>((pair_vectors.capacity() + pair_start.capacity() +
                                pair_types.capacity() + atom_types.capacity()) *
                                   sizeof(double) +
                               (centers.capacity() + neighbors.capacity()) * sizeof(int));
  }
};

// What a model says of a block, in eV and eV/Angstrom.
struct BlockResult {
  std::vector<double> atomic_energies;    // [N]
  std::vector<double> pair_gradients;     // [E, 3] dE/dr_ij
};

}    // namespace LAMMPS_NS

#endif
