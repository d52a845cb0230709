// The pairs of a chunk of atoms of one type: geometry before the features, chain rule after them.
//
// Arrays are kept one number after another ("structure of arrays"), so that the loops over pairs become vector code.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "pairs.hpp"
#include "quintic_switch.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Switch, and normalisation for one central type.
struct Environment {
  double inner, outer, mean;
  double scale[4];
  double n_neighbors;

  // What an embedding net is given at a distance.
  double input_at(double distance) const {
    const QuinticSwitch<double> falling(inner, outer);
    return (falling.value(falling.place(distance)) / distance - mean) / scale[0];
  }
};

// Pairs sorted by neighbour type ("kind"), then by atom.
template <typename Real, typename Wide>
struct Chunk {
  std::vector<std::int64_t> atoms;       // their indices
  std::vector<std::int64_t> kind_start;  // [T + 1]
  Buffer<std::int64_t> pair;             // place in the input
  Buffer<std::int32_t> slot;             // central atom, counted within the chunk
  Buffer<Wide> direction[3];             // first the vectors
  Buffer<Wide> inverse_distance, s, s_slope;
  Buffer<Wide> row[4];               // scaled, divided by the neighbour count
  Buffer<double> input;              // of the embedding net
  Buffer<Real> by_row[4], by_input;  // dE/drow, dE/dinput

  std::int64_t n_pairs() const { return kind_start.back(); }

  void gather(const Pairs &pairs, std::int64_t n_types) {
    kind_start.assign(n_types + 1, 0);
    for (const std::int64_t i : atoms)
      for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) ++kind_start[pairs.pair_types[e] + 1];
    for (std::int64_t t = 0; t < n_types; ++t) kind_start[t + 1] += kind_start[t];
    grow();
    std::vector<std::int64_t> &next = kind_start;  // shifted back below
    for (std::size_t k = 0; k < atoms.size(); ++k)
      for (std::int64_t e = pairs.start[atoms[k]]; e < pairs.start[atoms[k] + 1]; ++e) {
        const std::int64_t place = next[pairs.pair_types[e]]++;
        pair[place] = e;
        slot[place] = static_cast<std::int32_t>(k);
        for (int c = 0; c < 3; ++c) direction[c][place] = static_cast<Wide>(pairs.vectors[3 * e + c]);
      }
    for (std::int64_t t = n_types; t > 0; --t) next[t] = next[t - 1];
    next[0] = 0;
  }

  void compute_rows(const Environment &environment) {
    const QuinticSwitch<Wide> falling(environment.inner, environment.outer);
    const Wide mean = environment.mean, inverse_scale = 1.0 / environment.scale[0];
    Wide factor[4];
    for (int c = 0; c < 4; ++c) factor[c] = 1.0 / (environment.scale[c] * environment.n_neighbors);
    Wide *__restrict x = direction[0].data(), *__restrict y = direction[1].data(), *__restrict z = direction[2].data();
    Wide *__restrict inverse = inverse_distance.data(), *__restrict value = s.data(),
                     *__restrict slope = s_slope.data();
    Wide *__restrict r0 = row[0].data(), *__restrict r1 = row[1].data(), *__restrict r2 = row[2].data(),
                     *__restrict r3 = row[3].data();
    double *__restrict in = input.data();
    const std::int64_t n = n_pairs();
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) {
      const Wide squared = x[p] * x[p] + y[p] * y[p] + z[p] * z[p];
      const Wide distance = std::sqrt(squared);
      const Wide w = Wide(1) / distance;
      const Wide u = falling.place(distance);
      const Wide scaled = falling.value(u) * w;  // s
      inverse[p] = w;
      value[p] = scaled;
      slope[p] = (falling.slope(u) - scaled) * w;
      x[p] *= w;
      y[p] *= w;
      z[p] *= w;
      r0[p] = scaled * factor[0];
      r1[p] = scaled * x[p] * factor[1];
      r2[p] = scaled * y[p] * factor[2];
      r3[p] = scaled * z[p] * factor[3];
      in[p] = (scaled - mean) * inverse_scale;
    }
  }

  // dE/dr: rows and input depend on r through s, and the three angular rows on the direction.
  void write_gradients(const Environment &environment, double *gradients) {
    Wide factor[4];
    for (int c = 0; c < 4; ++c) factor[c] = 1.0 / (environment.scale[c] * environment.n_neighbors);
    const Wide inverse_scale = 1.0 / environment.scale[0];
    const Wide *__restrict x = direction[0].data(), *__restrict y = direction[1].data(),
                           *__restrict z = direction[2].data(), *__restrict inverse = inverse_distance.data(),
                           *__restrict value = s.data(), *__restrict slope = s_slope.data();
    const Real *__restrict b0 = by_row[0].data(), *__restrict b1 = by_row[1].data(), *__restrict b2 = by_row[2].data(),
                           *__restrict b3 = by_row[3].data(), *__restrict b_in = by_input.data();
    Wide *__restrict out_x = row[0].data(), *__restrict out_y = row[1].data(), *__restrict out_z = row[2].data();
    const std::int64_t n = n_pairs();
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) {
      const Wide a = b1[p] * factor[1], b = b2[p] * factor[2], c = b3[p] * factor[3];
      const Wide along = a * x[p] + b * y[p] + c * z[p];
      const Wide by_s = b_in[p] * inverse_scale + b0[p] * factor[0] + along;
      const Wide radial = by_s * slope[p], across = value[p] * inverse[p];
      out_x[p] = radial * x[p] + across * (a - along * x[p]);
      out_y[p] = radial * y[p] + across * (b - along * y[p]);
      out_z[p] = radial * z[p] + across * (c - along * z[p]);
    }
    for (std::int64_t p = 0; p < n; ++p)
      for (int c = 0; c < 3; ++c) gradients[3 * pair[p] + c] = static_cast<double>(row[c][p]);
  }

 private:
  void grow() {
    const std::int64_t n = n_pairs();
    provide(pair, n);
    provide(slot, n);
    provide(input, n);
    for (Buffer<Wide> *buffer : {&direction[0], &direction[1], &direction[2], &inverse_distance, &s, &s_slope, &row[0],
                                 &row[1], &row[2], &row[3]})
      provide(*buffer, n);
    for (Buffer<Real> *buffer : {&by_row[0], &by_row[1], &by_row[2], &by_row[3], &by_input}) provide(*buffer, n);
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
