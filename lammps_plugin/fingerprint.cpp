// SPDX-License-Identifier: GPL-2.0-or-later

#include "fingerprint.h"

#include "atom.h"
#include "domain.h"

#include <cmath>
#include <cstdint>

using namespace LAMMPS_NS;

namespace {

constexpr double TWO_PI = 6.283185307179586;
constexpr double OPEN_LENGTH = 10.0;    // A, wave along an axis that is not periodic
constexpr double TOLERANCE = 1e-10;     // of a sum over one atom

// between 0.5 and 1.5, and unlike that of any other atom (the mixing steps of splitmix64)
double weight(std::uint64_t id, std::uint64_t type)
{
  std::uint64_t bits = (id + 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL + type;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ULL;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebULL;
  bits ^= bits >> 31;
  return 0.5 + static_cast<double>(bits >> 11) * 0x1p-53;
}

}    // namespace

Fingerprint Fingerprint::of(const Atom &atom, const Domain &domain, MPI_Comm world)
{
  // rows of the inverse of the cell matrix; boxes that are not periodic may shrink around the atoms
  const double *const inverse = domain.h_inv;
  double rows[3][3] = {
      {inverse[0], inverse[5], inverse[4]}, {0.0, inverse[1], inverse[3]}, {0.0, 0.0, inverse[2]}};
  Fingerprint result;
  for (int d = 0; d < 6; d++) result.box_[d] = domain.h[d];
  for (int d = 0; d < 3; d++) {
    if (domain.periodicity[d]) continue;
    for (int e = 0; e < 3; e++) rows[d][e] = d == e ? 1.0 / OPEN_LENGTH : 0.0;
    result.box_[d] = 0.0;
  }

  std::array<double, N_WAVES + 1> own{}, total{};
  for (int i = 0; i < atom.nlocal; i++) {
    const double *const x = atom.x[i];
    const double w = weight(static_cast<std::uint64_t>(atom.tag_enable ? atom.tag[i] : 0),
                            static_cast<std::uint64_t>(atom.type[i]));
    for (int d = 0; d < 3; d++) {
      const double phase = TWO_PI * (rows[d][0] * x[0] + rows[d][1] * x[1] + rows[d][2] * x[2]);
      own[2 * d] += w * std::cos(phase);
      own[2 * d + 1] += w * std::sin(phase);
    }
  }
  own[N_WAVES] = atom.nlocal;
  MPI_Allreduce(own.data(), total.data(), N_WAVES + 1, MPI_DOUBLE, MPI_SUM, world);
  for (int k = 0; k < N_WAVES; k++) result.waves_[k] = total[k];
  result.n_atoms_ = total[N_WAVES];
  return result;
}

bool Fingerprint::is_near(const Fingerprint &other, MPI_Comm world) const
{
  int is_near = n_atoms_ == other.n_atoms_;
  for (int d = 0; d < 6; d++)
    if (!(std::fabs(box_[d] - other.box_[d]) <= TOLERANCE * std::fabs(box_[d]))) is_near = 0;
  for (int k = 0; k < N_WAVES; k++)
    if (!(std::fabs(waves_[k] - other.waves_[k]) <= TOLERANCE * std::sqrt(n_atoms_ + 1.0)))
      is_near = 0;
  MPI_Bcast(&is_near, 1, MPI_INT, 0, world);    // sums may end in another digit on another rank
  return is_near != 0;
}
