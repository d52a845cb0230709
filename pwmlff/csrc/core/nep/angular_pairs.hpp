// The pairs of one atom within the angular cutoff: geometry, radial functions and harmonics.
//
// Arrays over pairs are padded to whole vectors of kFew with copies of the last pair.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "buffer.hpp"
#include "harmonics.hpp"
#include "nep/basis_functions.hpp"
#include "nep/expansion.hpp"
#include "nep/function_tables.hpp"
#include "nep/neighborhood.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Wide>
struct AngularPairs {
  std::int64_t count = 0, size = 0;       // without and with padding
  Buffer<std::int32_t> place, type;       // in the order of the input, counted from the atom's first pair; of j
  Buffer<Wide> x, y, z, inverse;          // unit vectors and 1 / distance
  Buffer<Wide> distance, inverse_cutoff;  // Å, 1/Å
  Buffer<Wide> basis, basis_slope;        // f_c T_k and its derivative by r, [n_basis, size]
  Buffer<Wide> functions, derivative;     // g_n and dg_n/dr [size, stride]
  Buffer<Wide> harmonics;                 // b [lm, size]

  Directions<Wide> directions() const { return {x.data(), y.data(), z.data()}; }

  // All of it; there is a pair or more.
  template <typename Functions>
  void fill(std::int64_t central, const Neighborhood<Wide> &neighbors, const CutoffRadii &radii,
            const Functions &functions_of_r, const HarmonicFunctions<Wide> &functions_of_l) {
    count = neighbors.n_angular;
    size = padded_few(count);
    fill_geometry(neighbors, radii);
    provide(functions, size * functions_of_r.stride());
    provide(derivative, size * functions_of_r.stride());
    fill_functions(central, functions_of_r);
    provide(harmonics, functions_of_l.count * size);
    functions_of_l.write(directions(), size, harmonics.data());
  }

 private:
  using Vector = FewVector<Wide>;

  void fill_geometry(const Neighborhood<Wide> &neighbors, const CutoffRadii &radii) {
    for (Buffer<std::int32_t> *buffer : {&place, &type}) provide(*buffer, size);
    for (Buffer<Wide> *buffer : {&x, &y, &z, &inverse, &distance, &inverse_cutoff}) provide(*buffer, size);
    for (std::int64_t p = 0; p < size; ++p) {
      const std::int64_t from = neighbors.angular[std::min(p, count - 1)];
      place[p] = neighbors.place[from];
      type[p] = static_cast<std::int32_t>(neighbors.types[place[p]]);
      x[p] = neighbors.x[from];
      y[p] = neighbors.y[from];
      z[p] = neighbors.z[from];
      inverse_cutoff[p] = static_cast<Wide>(radii.inverse_angular[type[p]]);
    }
    Wide *__restrict to_x = x.data(), *__restrict to_y = y.data(), *__restrict to_z = z.data();
    Wide *__restrict to_inverse = inverse.data(), *__restrict to_distance = distance.data();
#pragma omp simd
    for (std::int64_t p = 0; p < size; ++p) {
      const Wide squared = to_x[p] * to_x[p] + to_y[p] * to_y[p] + to_z[p] * to_z[p], over = inverse_root(squared);
      to_x[p] *= over;
      to_y[p] *= over;
      to_z[p] *= over;
      to_inverse[p] = over;
      to_distance[p] = squared * over;
    }
  }

  void fill_basis(std::int64_t n_basis) {
    provide(basis, n_basis * size);
    provide(basis_slope, n_basis * size);
    for (std::int64_t p = 0; p < size; p += kFew) {
      const Vector inverse_radius = load<Wide, kFew>(inverse_cutoff.data() + p);
      const Vector inside = Wide(1) - load<Wide, kFew>(distance.data() + p) * inverse_radius;
      const Vector v = inside < Wide(0) ? Vector{} : inside, by_distance = inverse_radius * (Wide(-2) * v);
      BasisFunctions<Wide, kFew> at(v * v);
      for (std::int64_t k = 0; k < n_basis; ++k, at.advance()) {
        store<Wide, kFew>(basis.data() + k * size + p, at.value());
        store<Wide, kFew>(basis_slope.data() + k * size + p, at.slope() * by_distance);
      }
    }
  }

  template <typename Real>
  void fill_functions(std::int64_t central, const Expansion<Real, Wide> &expansion) {
    const std::int64_t stride = expansion.stride(), n_basis = expansion.n_basis();
    fill_basis(n_basis);
    for (std::int64_t p = 0; p < count; ++p) {
      const Wide *c = expansion.by_basis(central, type[p]);
      for (std::int64_t n = 0; n < stride; n += kFew) {
        Vector g = {}, slope_of_g = {};
        for (std::int64_t k = 0; k < n_basis; ++k) {
          const Vector factor = load<Wide, kFew>(c + k * stride + n);
          g += basis[k * size + p] * factor;
          slope_of_g += basis_slope[k * size + p] * factor;
        }
        store<Wide, kFew>(functions.data() + p * stride + n, g);
        store<Wide, kFew>(derivative.data() + p * stride + n, slope_of_g);
      }
    }
  }

  template <typename Real, int Terms>
  void fill_functions(std::int64_t central, const FunctionTables<Real, Terms> &tables) {
    const std::int64_t stride = tables.stride();
    const Wide last = static_cast<Wide>(tables.n_intervals());
    for (std::int64_t p = 0; p < count; ++p) {
      const Wide density = inverse_cutoff[p] * last, steps = distance[p] * density;
      const auto interval = static_cast<std::int32_t>(steps < last ? steps : last);
      const auto s = static_cast<Real>(steps - static_cast<Wide>(interval));
      const Real *row = tables.of_types(central, type[p]) + interval * tables.row_size();
      for (std::int64_t n = 0; n < stride; n += kFew) {
        FewVector<Real> g, slope_of_g;
        tables.value_and_slope(row + n, s, g, slope_of_g);
        store<Wide, kFew>(functions.data() + p * stride + n, __builtin_convertvector(g, Vector));
        store<Wide, kFew>(derivative.data() + p * stride + n, density * __builtin_convertvector(slope_of_g, Vector));
      }
    }
  }
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
