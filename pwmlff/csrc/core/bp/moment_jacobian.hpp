// The symmetry functions that are products of moments with their derivatives by the vectors of all pairs, for who will
// differentiate the energy along many directions.
//
// With the names of moment_plan.hpp, of a neighbour j of the type of A
//
//   dp_l/dr_j = 4 pi / (2l + 1) sum_m C_lm B_lm [dg/dr b_lm u_j + g db_lm/dr_j]
//
// and twice that where A and B are the same.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "bp/moment_part.hpp"
#include "bp/moment_plan.hpp"
#include "buffer.hpp"
#include "gemm.hpp"
#include "harmonics.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Works in the buffers of the thread.
class MomentJacobian {
 public:
  using Near = MomentPart::Near;

  // Adds to G, and calls visit(neighbour, input, [3]) with shares of its derivatives.
  template <typename Wide, typename Visit>
  void add(const MomentPart &part, const Near &near, Wide *g, Visit visit) {
    part.sum(near, rows_, work_, g);
    for (std::int64_t type = 0; type < static_cast<std::int64_t>(near.counts.size()); ++type)
      for (std::int64_t p = 0; p < near.counts[type] && part.has_moments(type); p += kFew) {
        write_harmonics_and_slopes(part.harmonics(type), near, near.first(type) + p);
        for (const bp::Spectrum &spectrum : part.spectra())
          for (int own = 0; own < (spectrum.types[0] == spectrum.types[1] ? 1 : 2); ++own)
            if (spectrum.types[own] == type && MomentPart::has_pairs(near, spectrum))
              add_spectrum(part, spectrum, own, near, p, visit);
      }
  }

 private:
  using Vector = FewVector<double>;

  // b_lm and db_lm/dr of a vector of neighbours, [lm, kFew] each.
  void write_harmonics_and_slopes(const HarmonicFunctions<double> &functions, const Near &near, std::int64_t first) {
    const Directions<double> directions{near.unit[0].data() + first, near.unit[1].data() + first,
                                        near.unit[2].data() + first};
    provide(harmonics_, functions.count * kFew);
    functions.write(directions, kFew, harmonics_.data());
    const Vector inverse = load(near.inverse.data() + first);
    for (int c = 0; c < 3; ++c) {
      const Vector along = load(near.unit[c].data() + first);
      double changes[3][kFew];  // of the direction
      for (int k = 0; k < 3; ++k)
        store(changes[k], inverse * ((k == c ? 1.0 : 0.0) - along * load(near.unit[k].data() + first)));
      provide(slopes_[c], functions.count * kFew);
      functions.write_changes(directions, {changes[0], changes[1], changes[2]}, kFew, slopes_[c].data());
    }
  }

  // Of the neighbours from the p-th on.
  template <typename Visit>
  void add_spectrum(const MomentPart &part, const bp::Spectrum &spectrum, int own, const Near &near, std::int64_t p,
                    Visit visit) {
    const std::int64_t type = spectrum.types[own], first = near.first(type) + p;
    const double *other = part.sums_of(spectrum, 1 - own, rows_);
    const int n = MomentPart::size_of(spectrum);
    Vector sums[kLargestL + 1], slopes[3][kLargestL + 1];  // of p_l, without g
    sums[0] = Vector{} + other[kMonopole];
    for (int c = 0; c < 3; ++c) slopes[c][0] = Vector{};
    for (int l = 1; l < n; ++l) {
      Vector sum = {}, slope[3] = {};
      for (int place = harmonic_place(l); place < harmonic_place(l + 1); ++place) {
        const double factor = part.norm(place) * other[kMultipoles + place];
        sum += factor * load(harmonics_.data() + place * kFew);
        for (int c = 0; c < 3; ++c) slope[c] += factor * load(slopes_[c].data() + place * kFew);
      }
      sums[l] = sum;
      for (int c = 0; c < 3; ++c) slopes[c][l] = slope[c];
    }
    const std::int64_t row = rows_.first[type] + spectrum.moments[own] * near.padded_count(type) + p;
    const Vector value = load(rows_.values.data() + row), by_distance = load(rows_.slopes.data() + row);
    const double times = spectrum.types[0] == spectrum.types[1] ? 2 : 1;
    for (const bp::SpectrumTarget &target : spectrum.targets) {
      Vector sum = {}, across[3] = {};
      for (std::size_t l = 0; l < target.factors.size(); ++l) {
        sum += target.factors[l] * sums[l];
        for (int c = 0; c < 3; ++c) across[c] += target.factors[l] * slopes[c][l];
      }
      const Vector along = by_distance * (times * sum + 2 * target.factor_of_squares * value);
      double derivatives[3][kFew];
      for (int c = 0; c < 3; ++c)
        store(derivatives[c], along * load(near.unit[c].data() + first) + times * value * across[c]);
      for (std::int64_t lane = 0; lane < std::min(kFew, near.counts[type] - p); ++lane) {
        const double derivative[3] = {derivatives[0][lane], derivatives[1][lane], derivatives[2][lane]};
        visit(first + lane, target.input, derivative);
      }
    }
  }

  MomentRows rows_;
  MomentWorkspace work_;
  Buffer<double> harmonics_, slopes_[3];
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
