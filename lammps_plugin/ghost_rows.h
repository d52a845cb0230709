// SPDX-License-Identifier: GPL-2.0-or-later
//
// Numbers per atom of this rank, local and ghost, for LAMMPS's reverse communication to sum up at
// home.

#ifndef PWMLFF_GHOST_ROWS_H
#define PWMLFF_GHOST_ROWS_H

#include <algorithm>
#include <cstddef>
#include <vector>

namespace LAMMPS_NS {

class GhostRows {
 public:
  void reset(int n_atoms, int width)
  {
    width_ = width;
    values_.assign(static_cast<std::size_t>(n_atoms) * width, 0.0);
  }

  int width() const { return width_; }
  double *row(int atom) { return values_.data() + static_cast<std::size_t>(atom) * width_; }

  int pack(int n, int first, double *buffer)
  {
    std::copy(row(first), row(first) + static_cast<std::size_t>(n) * width_, buffer);
    return n * width_;
  }

  void unpack(int n, const int *targets, const double *buffer)
  {
    for (int k = 0; k < n; k++) {
      double *const target = row(targets[k]);
      for (int d = 0; d < width_; d++) target[d] += *buffer++;
    }
  }

  double bytes() const { return static_cast<double>(values_.capacity() * sizeof(double)); }

 private:
  std::vector<double> values_;
  int width_ = 0;
};

}    // namespace LAMMPS_NS

#endif
