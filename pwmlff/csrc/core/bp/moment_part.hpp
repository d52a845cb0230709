// The angular symmetry functions of an atom that are products of moments, see moment_plan.hpp, and the derivatives of
// the energy through them.
//
// Lanes are neighbours. On the way back the derivatives by the moments, D_lm = dE/dA_lm, make of each neighbour
//
//   E = sum_lm h_lm b_lm + .. with h_lm = sum g D_lm over the moments of its type
//
// whose derivative by its vector is that of unit_harmonics.hpp. l = 0 and the squares are functions of r alone.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bp/distance_functions.hpp"
#include "bp/moment_plan.hpp"
#include "bp/neighborhood.hpp"
#include "bp/row_products.hpp"
#include "buffer.hpp"
#include "gemm.hpp"
#include "harmonics.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Numbers of moments: A_00, sum_j g^2, then A_lm by place; or what the energy changes with them.
constexpr std::int64_t kMonopole = 0, kSquares = 1, kMultipoles = 2;

// What an atom leaves for the way back.
struct MomentRows {
  Buffer<double> values, slopes;    // g and dg/dr, of neighbours of one type after another [moments, padded_count]
  std::vector<std::int64_t> first;  // [T]
  Buffer<double> sums;              // of all moments
};

// Buffers of one thread.
struct MomentWorkspace {
  Buffer<double> cutoffs;
  Buffer<double> harmonics, lanes;  // [lm, padded_count]; sums of A_lm, lane by lane
  std::vector<const double *> function_rows, harmonic_rows;
  Buffer<double> by_sums;             // D
  Buffer<double> near, by_harmonics;  // of a vector of neighbours: g and dg/dr [moments, 2, kFew]; h [lm, 2, kFew]
  double spectrum[kLargestL + 1];     // p_l, or dE/dp_l
};

class MomentPart {
 public:
  using Near = Neighborhood<double, double>;

  // Of the moments of one type those of the same degree, whose numbers follow each other.
  struct Group {
    std::int64_t first, count;                // moments
    std::int64_t n_harmonics, stride, begin;  // numbers of each moment, and of those before
  };

  MomentPart(const bp::CutoffFunction &cutoff, const bp::MomentPlan &plan) : spectra_(plan.spectra) {
    for (const std::vector<bp::Moments> &moments : plan.by_type) {
      std::vector<bp::DistanceFunction> functions;
      groups_.emplace_back();
      begins_.emplace_back();
      for (const bp::Moments &each : moments) {
        const std::int64_t n_harmonics = harmonics_up_to(each.degree), stride = kMultipoles + n_harmonics;
        if (groups_.back().empty() || groups_.back().back().n_harmonics != n_harmonics)
          groups_.back().push_back({static_cast<std::int64_t>(functions.size()), 0, n_harmonics, stride, n_sums_});
        ++groups_.back().back().count;
        functions.push_back(each.function);
        begins_.back().push_back(n_sums_);
        n_sums_ += stride;
      }
      functions_.emplace_back(cutoff, functions);
      harmonics_.push_back(harmonic_functions<double>(moments.empty() ? 1 : moments.front().degree));
    }
    constexpr double four_pi = 12.566370614359172;
    for (int l = 1; l <= kLargestL; ++l)
      for (int i = 0; i <= 2 * l; ++i) norms_[harmonic_place(l) + i] = four_pi / (2 * l + 1) * kNorm.of[l][(i + 1) / 2];
  }

  bool is_empty() const { return spectra_.empty(); }
  bool has_moments(std::int64_t type) const { return functions_[type].count() > 0; }
  const HarmonicFunctions<double> &harmonics(std::int64_t type) const { return harmonics_[type]; }
  const std::vector<bp::Spectrum> &spectra() const { return spectra_; }
  double norm(int place) const { return norms_[place]; }  // 4 pi / (2l + 1) C_lm
  static bool has_pairs(const Near &near, const bp::Spectrum &spectrum) {
    const std::int64_t a = near.counts[spectrum.types[0]], b = near.counts[spectrum.types[1]];
    return spectrum.types[0] == spectrum.types[1] ? a > 1 : a > 0 && b > 0;
  }

  // The number of its p_l.
  static int size_of(const bp::Spectrum &spectrum) {
    std::size_t size = 0;
    for (const bp::SpectrumTarget &target : spectrum.targets) size = std::max(size, target.factors.size());
    return static_cast<int>(size);
  }

  // Numbers of one of its moments.
  const double *sums_of(const bp::Spectrum &spectrum, int side, const MomentRows &rows) const {
    return rows.sums.data() + begin_of(spectrum, side);
  }

  // Adds to G.
  template <typename Wide>
  void sum(const Near &near, MomentRows &rows, MomentWorkspace &work, Wide *g) const {
    rows.first.assign(functions_.size(), 0);
    rows.sums.assign(n_sums_, 0.0);
    std::int64_t next = 0;
    for (std::size_t type = 0; type < functions_.size(); ++type) {
      const std::int64_t n = near.padded_count(type), size = n * functions_[type].count();
      if (size == 0) continue;
      rows.first[type] = next;
      for (Buffer<double> *buffer : {&rows.values, &rows.slopes})
        if (static_cast<std::int64_t>(buffer->size()) < next + size) buffer->resize(next + size);
      functions_[type].evaluate(near.distance.data() + near.first(type), n, n, rows.values.data() + next,
                                rows.slopes.data() + next, work.cutoffs);
      provide(work.harmonics, harmonics_[type].count * n);
      harmonics_[type].write(directions(near, near.first(type)), n, work.harmonics.data());
      for (const Group &group : groups_[type]) add_group(group, n, rows.values.data() + next, work, rows.sums.data());
      next += size;
    }
    for (const bp::Spectrum &spectrum : spectra_) {
      if (!has_pairs(near, spectrum)) continue;
      const double *a = sums_of(spectrum, 0, rows), *b = sums_of(spectrum, 1, rows);
      const int n = size_of(spectrum);
      for (int l = 0; l < n; ++l) work.spectrum[l] = product(l, a, b);
      for (const bp::SpectrumTarget &target : spectrum.targets) {
        double sum = target.factor_of_squares * a[kSquares];
        for (std::size_t l = 0; l < target.factors.size(); ++l) sum += target.factors[l] * work.spectrum[l];
        g[target.input] += static_cast<Wide>(sum);
      }
    }
  }

  // Adds to the gradients of the atom's pairs, from dE/dG.
  template <typename Real>
  void differentiate(const Near &near, const MomentRows &rows, const Real *by_g, MomentWorkspace &work,
                     double *gradients) const {
    work.by_sums.assign(n_sums_, 0.0);
    for (const bp::Spectrum &spectrum : spectra_)
      if (has_pairs(near, spectrum)) differentiate_spectrum(spectrum, rows, by_g, work);
    for (std::size_t type = 0; type < functions_.size(); ++type)
      for (std::int64_t p = 0; p < near.counts[type] && functions_[type].count() > 0; p += kFew)
        add_gradients(near, rows, type, p, work, gradients);
  }

 private:
  using Vector = FewVector<double>;

  static Directions<double> directions(const Near &near, std::int64_t p) {
    return {near.unit[0].data() + p, near.unit[1].data() + p, near.unit[2].data() + p};
  }

  std::int64_t begin_of(const bp::Spectrum &spectrum, int side) const {
    return begins_[spectrum.types[side]][spectrum.moments[side]];
  }

  // p_l
  double product(int l, const double *a, const double *b) const {
    if (l == 0) return a[kMonopole] * b[kMonopole];
    double sum = 0;
    for (int place = harmonic_place(l); place < harmonic_place(l + 1); ++place)
      sum += norms_[place] * a[kMultipoles + place] * b[kMultipoles + place];
    return sum;
  }

  // Sums over n neighbours of a type.
  void add_group(const Group &group, std::int64_t n, const double *values, MomentWorkspace &work, double *sums) const {
    work.function_rows.clear();
    work.harmonic_rows.clear();
    for (std::int64_t m = group.first; m < group.first + group.count; ++m) work.function_rows.push_back(values + m * n);
    for (std::int64_t place = 0; place < group.n_harmonics; ++place)
      work.harmonic_rows.push_back(work.harmonics.data() + place * n);
    work.lanes.assign(group.count * group.n_harmonics * kFew, 0.0);
    add_products(n / kFew, work.function_rows, work.harmonic_rows, work.lanes.data());
    const double *lanes = work.lanes.data();
    for (std::int64_t m = 0; m < group.count; ++m) {
      double *to = sums + group.begin + m * group.stride;
      Vector total = {}, squares = {};
      for (std::int64_t p = 0; p < n; p += kFew) {
        const Vector value = load(work.function_rows[m] + p);
        total += value;
        squares += value * value;
      }
      to[kMonopole] = sum_of_lanes<double>(total);
      to[kSquares] = sum_of_lanes<double>(squares);
      for (std::int64_t place = 0; place < group.n_harmonics; ++place, lanes += kFew)
        to[kMultipoles + place] = sum_of_lanes<double>(lanes);
    }
  }

  template <typename Real>
  void differentiate_spectrum(const bp::Spectrum &spectrum, const MomentRows &rows, const Real *by_g,
                              MomentWorkspace &work) const {
    const double *a = sums_of(spectrum, 0, rows), *b = sums_of(spectrum, 1, rows);
    double *by_a = work.by_sums.data() + begin_of(spectrum, 0), *by_b = work.by_sums.data() + begin_of(spectrum, 1);
    const int n = size_of(spectrum);
    std::fill_n(work.spectrum, n, 0.0);
    for (const bp::SpectrumTarget &target : spectrum.targets) {
      const double by_input = by_g[target.input];
      for (std::size_t l = 0; l < target.factors.size(); ++l) work.spectrum[l] += by_input * target.factors[l];
      by_a[kSquares] += by_input * target.factor_of_squares;
    }
    by_a[kMonopole] += work.spectrum[0] * b[kMonopole];
    by_b[kMonopole] += work.spectrum[0] * a[kMonopole];
    for (int l = 1; l < n; ++l)
      for (int place = harmonic_place(l); place < harmonic_place(l + 1); ++place) {
        const double factor = work.spectrum[l] * norms_[place];
        by_a[kMultipoles + place] += factor * b[kMultipoles + place];
        by_b[kMultipoles + place] += factor * a[kMultipoles + place];
      }
  }

  // Of a vector of neighbours of a type, from the p-th on.
  void add_gradients(const Near &near, const MomentRows &rows, std::size_t type, std::int64_t p, MomentWorkspace &work,
                     double *gradients) const {
    const std::int64_t n = near.padded_count(type), n_functions = functions_[type].count();
    const std::int64_t first = near.first(type) + p;
    provide(work.near, n_functions * 2 * kFew);
    provide(work.by_harmonics, harmonics_[type].count * 2 * kFew);
    Vector by_distance = {};
    for (std::int64_t m = 0; m < n_functions; ++m) {
      const double *by_sums = work.by_sums.data() + begins_[type][m];
      const std::int64_t from = rows.first[type] + m * n + p;
      const Vector value = load(rows.values.data() + from), slope = load(rows.slopes.data() + from);
      by_distance += slope * (by_sums[kMonopole] + 2 * by_sums[kSquares] * value);
      store(work.near.data() + m * 2 * kFew, value);
      store(work.near.data() + (m * 2 + 1) * kFew, slope);
    }
    for (const Group &group : groups_[type])
      multiply<double, kFew>(group.n_harmonics, 2 * kFew, group.count, work.by_sums.data() + group.begin + kMultipoles,
                             1, group.stride, work.near.data() + group.first * 2 * kFew, 2 * kFew,
                             work.by_harmonics.data(), 2 * kFew, group.first > 0);
    double by_vector[3][kFew];
    harmonics_[type].differentiate(directions(near, first), near.inverse.data() + first, work.by_harmonics.data(),
                                   by_vector[0]);
    for (int c = 0; c < 3; ++c)
      store(by_vector[c], load(by_vector[c]) + by_distance * load(near.unit[c].data() + first));
    for (std::int64_t lane = 0; lane < std::min(kFew, near.counts[type] - p); ++lane)
      for (int c = 0; c < 3; ++c) gradients[3 * near.place[first + lane] + c] += by_vector[c][lane];
  }

  std::vector<DistanceFunctions<double>> functions_;  // by type, as are the next three
  std::vector<HarmonicFunctions<double>> harmonics_;
  std::vector<std::vector<Group>> groups_;
  std::vector<std::vector<std::int64_t>> begins_;  // of the numbers of each moment
  std::int64_t n_sums_ = 0;
  std::vector<bp::Spectrum> spectra_;
  double norms_[harmonics_up_to(kLargestL)];
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
