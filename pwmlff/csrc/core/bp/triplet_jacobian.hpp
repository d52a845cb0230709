// The symmetry functions of an atom with their derivatives by the vectors of all its pairs, for who will differentiate
// the energy along many directions.
//
// Here a lane is a neighbour j, and the vectors of a block hold successive k: all pairs are taken twice, and each
// derivative is a sum over k without any scattering. With the names of triplet_part.hpp, of each product and power,
//
//   H = sum_k h_k t P,   U = sum_k h_k t P' u_k,   V = sum_k h_k t' P (r_j - r_k) / r_jk
//   dG/dr_j = dg/dr H u_j + g / r_j (U - (U . u_j) u_j) + g V
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bp/neighborhood.hpp"
#include "bp/pair_terms.hpp"
#include "bp/row_products.hpp"
#include "bp/triplet_part.hpp"
#include "buffer.hpp"
#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Works in the buffers of the thread.
template <typename Real, typename Wide>
class TripletJacobian {
 public:
  using Near = Neighborhood<Real, Wide>;

  // Adds to G, and calls visit(neighbour, input, [3]) with shares of its derivatives.
  template <typename Visit>
  void add(const TripletPart<Real, Wide> &part, const Near &near, Wide *g, Visit visit) {
    part.prepare(near, near_, cutoffs_);
    for (const PairTerms<Real> &terms : part.terms())
      for (int own = 0; own < (terms.plan().types[0] == terms.plan().types[1] ? 1 : 2); ++own) {
        const std::int64_t type_j = terms.plan().types[own], type_k = terms.plan().types[1 - own];
        if (near.counts[type_k] == 0) continue;
        terms.begin(rows_);
        for (std::int64_t j = 0; j < near.counts[type_j]; j += kWidth) {
          const Lanes lanes{near.first(type_j) + j, std::min(kWidth, near.counts[type_j] - j)};
          sum_over_k(terms, own, near, lanes);
          finish(terms, own, near, lanes, g, visit);
        }
      }
  }

 private:
  using Vector = typename VectorOf<Real>::type;
  static constexpr std::int64_t kWidth = kLanes<Real>;

  // Neighbours j.
  struct Lanes {
    std::int64_t first, count;
  };

  void sum_over_k(const PairTerms<Real> &terms, int own, const Near &near, const Lanes &j) {
    const std::int64_t type = terms.plan().types[1 - own], end = near.first(type) + near.counts[type];
    const std::int64_t n_sums = terms.n_entries() * kWidth;
    sums_.assign((terms.has_thirds() ? 7 : 4) * n_sums, Real(0));
    for (std::int64_t k = near.first(type); k < end; k += kBlockVectors) {
      const std::int64_t n = std::min(kBlockVectors, end - k);
      fill_geometry(near, j, k, n, terms.has_thirds());
      terms.template fill<true>(n, rows_);
      for (std::size_t b = 0; b < terms.plan().blocks.size(); ++b)
        add_block(terms.plan().blocks[b], own, near, j, k, n, sums_.data() + terms.entry(b) * kWidth, n_sums);
    }
  }

  // The lane of the vector of k in which j and k are the same neighbour; -1 where none is.
  static std::int64_t lane_of_itself(const Lanes &j, std::int64_t k) {
    return k >= j.first && k < j.first + kWidth ? k - j.first : -1;
  }

  void fill_geometry(const Near &near, const Lanes &j, std::int64_t k, std::int64_t n, bool has_separations) {
    for (std::int64_t v = 0; v < n; ++v) {
      Vector cosine = {}, square = {};
      for (int c = 0; c < 3; ++c) {
        cosine += near.unit[c][k + v] * load(near.unit[c].data() + j.first);
        const Vector apart = near.vector[c][k + v] - load(near.vector[c].data() + j.first);
        square += apart * apart;
      }
      store(rows_.cosine + v * kWidth, cosine);
      if (!has_separations) continue;
      store(rows_.separation + v * kWidth, square);
      const std::int64_t itself = lane_of_itself(j, k + v);
      if (itself >= 0) rows_.separation[v * kWidth + itself] = Real(1);
    }
  }

  // Adds to H [products, powers, lanes], then to U and V for each direction in space.
  void add_block(const bp::Block &block, int own, const Near &near, const Lanes &j, std::int64_t k, std::int64_t n,
                 Real *sums, std::int64_t n_sums) {
    const std::size_t n_products = block.products.size();
    const bool has_thirds = std::any_of(block.products.begin(), block.products.end(),
                                        [](const bp::Product &product) { return product.third >= 0; });
    const int n_kinds = has_thirds ? 7 : 4;
    provide(factors_, 7 * static_cast<std::int64_t>(n_products) * kRow<Real>);
    for (std::size_t p = 0; p < n_products; ++p) fill_factors(block.products[p], p, n_products, own, near, j, k, n);
    powers_.clear();
    slopes_.clear();
    for (const int power : block.powers) powers_.push_back(rows_.power(power));
    for (const int power : block.powers) slopes_.push_back(rows_.power_slope(power));
    for (int kind = 0; kind < n_kinds; ++kind) {
      factor_rows_.clear();
      for (std::size_t p = 0; p < n_products; ++p) factor_rows_.push_back(factors(kind, p, n_products));
      add_products(n, factor_rows_, kind >= 1 && kind <= 3 ? slopes_ : powers_, sums + kind * n_sums);
    }
  }

  Real *factors(int kind, std::size_t product, std::size_t n_products) {
    return factors_.data() + (kind * n_products + product) * kRow<Real>;
  }

  // What the powers of H, U and V are multiplied by.
  void fill_factors(const bp::Product &product, std::size_t p, std::size_t n_products, int own, const Near &near,
                    const Lanes &j, std::int64_t k, std::int64_t n) {
    const Real *of_k = near_.value(product.near[1 - own]);
    for (std::int64_t v = 0; v < n; ++v) {
      const std::int64_t at = v * kWidth;
      const std::int64_t itself = lane_of_itself(j, k + v);
      Vector plain = Vector{} + of_k[k + v];
      if (itself >= 0) plain[itself] = Real(0);
      const Vector value = product.third >= 0 ? plain * load(rows_.third(product.third) + at) : plain;
      store(factors(0, p, n_products) + at, value);
      for (int c = 0; c < 3; ++c) store(factors(1 + c, p, n_products) + at, value * near.unit[c][k + v]);
      if (product.third >= 0) {
        const Vector slope = plain * load(rows_.third_slope(product.third) + at) * load(rows_.inverse + at);
        for (int c = 0; c < 3; ++c)
          store(factors(4 + c, p, n_products) + at,
                slope * (load(near.vector[c].data() + j.first) - near.vector[c][k + v]));
      } else {
        for (int c = 0; c < 3; ++c) store(factors(4 + c, p, n_products) + at, Vector{});
      }
    }
  }

  template <typename Visit>
  void finish(const PairTerms<Real> &terms, int own, const Near &near, const Lanes &j, Wide *g, Visit visit) {
    const std::int64_t n_sums = terms.n_entries() * kWidth;
    Vector unit[3];
    for (int c = 0; c < 3; ++c) unit[c] = load(near.unit[c].data() + j.first);
    const Vector inverse = load(near.inverse.data() + j.first);
    const Real *sums = sums_.data();
    for (const bp::Block &block : terms.plan().blocks)
      for (std::size_t entry = 0; entry < block.targets.size(); ++entry, sums += kWidth) {
        const bp::Target &target = block.targets[entry];
        const bp::Power &power = terms.plan().powers[block.powers[entry % block.powers.size()]];
        const int row = block.products[entry / block.powers.size()].near[own];
        const Real weight = target.weight, of_angle = static_cast<Real>(0.5 * power.lambda * power.exponent);
        const Vector value = load(near_.value(row) + j.first), slope = load(near_.slope(row) + j.first);
        const Vector h = load(sums);
        Vector u[3], along = {};
        for (int c = 0; c < 3; ++c) {
          u[c] = of_angle * load(sums + (1 + c) * n_sums);
          along += u[c] * unit[c];
        }
        Real total[kWidth], derivatives[3][kWidth];
        store(total, value * h);
        for (int c = 0; c < 3; ++c) {
          Vector derivative = slope * h * unit[c] + value * inverse * (u[c] - along * unit[c]);
          if (terms.has_thirds()) derivative += value * load(sums + (4 + c) * n_sums);
          store(derivatives[c], weight * derivative);
        }
        for (std::int64_t lane = 0; lane < j.count; ++lane) {
          g[target.input] += 0.5 * target.weight * total[lane];  // of both neighbours
          const Real own_derivatives[3] = {derivatives[0][lane], derivatives[1][lane], derivatives[2][lane]};
          visit(j.first + lane, target.input, own_derivatives);
        }
      }
  }

  NearRows<Real> near_;
  TermRows<Real> rows_;
  Buffer<Real> cutoffs_, factors_;  // the latter of a block, of H, U and V
  Buffer<Real> sums_;               // H, U and V [7, entries, lanes]
  std::vector<const Real *> factor_rows_, powers_, slopes_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
