// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tells whether two structures are the same, without keeping either.

#ifndef PWMLFF_FINGERPRINT_H
#define PWMLFF_FINGERPRINT_H

#include <mpi.h>

#include <array>

namespace LAMMPS_NS {

class Atom;
class Domain;

// Sums over all atoms of w(id, type) exp(i q r) along three axes. Neither the order of the atoms
// nor the rank that owns them matters, nor the periodic image an atom is in; a move of about 1e-9 A
// does.
class Fingerprint {
 public:
  // to be called by all ranks
  static Fingerprint of(const Atom &atom, const Domain &domain, MPI_Comm world);

  // the same answer on all ranks
  bool is_near(const Fingerprint &other, MPI_Comm world) const;

 private:
  static constexpr int N_WAVES = 6;

  std::array<double, N_WAVES> waves_{};    // real and imaginary part for each axis
  std::array<double, 6> box_{};            // edges and tilts, 0 where the box is not periodic
  double n_atoms_ = 0.0;
};

}    // namespace LAMMPS_NS

#endif
