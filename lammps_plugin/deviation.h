// SPDX-License-Identifier: GPL-2.0-or-later
//
// How far the models of a committee are apart.

#ifndef PWMLFF_DEVIATION_H
#define PWMLFF_DEVIATION_H

#include <mpi.h>

#include <cstddef>
#include <vector>

namespace LAMMPS_NS {

struct Spread {
  double avg = 0.0, min = 0.0, max = 0.0;
};

// Over all atoms that the models know: force and energy. Over the nine components of the virial per
// atom: virial, whose avg is the root of the mean square.
struct DeviationSummary {
  Spread force, energy, virial;
};

// Forces, atomic energies and virials of K models on the atoms of this rank, and
//   sigma_i = sqrt(sum_k |F_k,i - <F>_i|^2 / K)
// with its like for atomic energies and for the components of the virial.
class Deviation {
 public:
  void reset(std::size_t n_models, std::size_t n_atoms);

  double *forces(std::size_t model) { return &forces_[3 * model * n_atoms_]; }     // [N, 3]
  double *energies(std::size_t model) { return &energies_[model * n_atoms_]; }     // [N]
  double *virial(std::size_t model) { return &virials_[N_COMPONENTS * model]; }    // [9], own share

  // `known` tells which atoms have a place in the models; the others count nowhere.
  // The result is complete on rank 0.
  DeviationSummary compute(const std::vector<char> &known, MPI_Comm world);

  std::vector<double> force_deviation;     // [N] of each atom of this rank, after compute()
  std::vector<double> energy_deviation;    // [N]

  double bytes() const;

 private:
  static constexpr std::size_t N_COMPONENTS = 9;

  Spread virial_spread(double n_known, MPI_Comm world) const;

  std::size_t n_models_ = 0, n_atoms_ = 0;
  std::vector<double> forces_, energies_,
      virials_;    // one spare number keeps pointers valid at N = 0
};

}    // namespace LAMMPS_NS

#endif
