// The pairs of the atoms of a chunk within the radial cutoffs, by atom and type of neighbour.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "nep/basis_functions.hpp"
#include "nep/neighborhood.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Neighbours of one type of one atom, padded to whole vectors by copies of pairs nearby.
struct RadialRun {
  std::int64_t type, first, count;
};

template <typename Real>
struct RadialRuns {
  std::vector<RadialRun> runs;
  std::vector<std::int64_t> run_start;  // of atoms, and their end
  Buffer<std::int32_t> place;           // counted from the atom's first pair
  Buffer<Real> x, y, z;                 // Å, then the gradients

  void clear() {
    runs.clear();
    run_start.assign(1, 0);
  }

  // Where the next run begins.
  std::int64_t end() const { return runs.empty() ? 0 : runs.back().first + padded<Real>(runs.back().count); }

  // Adds the neighbours of a type to the last atom, and calls geometry(p, distance, 1 / distance) for each pair.
  template <typename Wide, typename Geometry>
  RadialRun append(std::int64_t type, const Neighborhood<Wide> &neighbors, Geometry geometry) {
    const RadialRun run{type, end(), neighbors.counts[type]};
    const std::int64_t begin = run.first, n = padded<Real>(run.count), from = type * neighbors.capacity;
    for (Buffer<Real> *buffer : {&x, &y, &z}) provide(*buffer, begin + n);
    provide(place, begin + n);
    std::copy_n(neighbors.place.data() + from, run.count, place.data() + begin);
    const Wide *__restrict from_x = neighbors.x.data() + from, *__restrict from_y = neighbors.y.data() + from,
                           *__restrict from_z = neighbors.z.data() + from;
    Real *__restrict to_x = x.data() + begin, *__restrict to_y = y.data() + begin, *__restrict to_z = z.data() + begin;
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) {
      const Wide squared = from_x[p] * from_x[p] + from_y[p] * from_y[p] + from_z[p] * from_z[p];
      const Wide over = inverse_root(squared);
      to_x[p] = static_cast<Real>(from_x[p]);
      to_y[p] = static_cast<Real>(from_y[p]);
      to_z[p] = static_cast<Real>(from_z[p]);
      geometry(p, squared * over, over);
    }
    runs.push_back(run);
    return run;
  }

  void end_atom() { run_start.push_back(static_cast<std::int64_t>(runs.size())); }

  // Of an atom of the chunk, those within the cutoffs.
  std::int64_t n_pairs(std::int64_t slot) const {
    std::int64_t sum = 0;
    for (std::int64_t r = run_start[slot]; r < run_start[slot + 1]; ++r) sum += runs[r].count;
    return sum;
  }

  // Writes the gradients of a run to those of the atom's pairs.
  void scatter(const RadialRun &run, double *gradients) const {
    for (std::int64_t p = run.first; p < run.first + run.count; ++p) {
      double *to = gradients + 3 * place[p];
      to[0] = static_cast<double>(x[p]);
      to[1] = static_cast<double>(y[p]);
      to[2] = static_cast<double>(z[p]);
    }
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
