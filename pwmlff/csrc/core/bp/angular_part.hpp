// The angular symmetry functions of an atom, and the derivatives of the energy through them.
//
// Each pair of neighbours (j, k) is taken once, as a lane of a vector that holds one j and successive k; those behind
// the last k lie beyond the cutoffs and add nothing. With g and h the distance functions of a product, t that of the
// separation and P the powers, the functions are the matrix
//
//   G = sum_jk [g(r_j) h(r_k) t] (x) P
//
// and on the way back S = dE/dG . P and D = dE/dG . dP/dcos give, for each product,
//
//   dE/dg_j = h_k t S,  dE/dh_k = g_j t S,  dE/dt = g_j h_k S,  dE/dcos = g_j h_k t D
//
// for which powers and t are found anew: they would not fit the cache.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bp/neighborhood.hpp"
#include "bp/pair_terms.hpp"
#include "bp/plan.hpp"
#include "buffer.hpp"
#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// What an atom leaves for the way back: distance functions of its neighbours [n_near, size].
template <typename Real>
struct NearRows {
  std::int64_t size = 0;
  Buffer<Real> values, slopes;

  const Real *value(std::int64_t row) const { return values.data() + row * size; }
  const Real *slope(std::int64_t row) const { return slopes.data() + row * size; }
};

// Buffers of one thread.
template <typename Real, typename Wide>
struct AngularWorkspace {
  TermRows<Real> rows;
  std::int64_t n_vectors = 0;
  std::int32_t j[kBlockVectors], k[kBlockVectors];  // places of j and of the first k
  Buffer<Real> cutoffs;
  Buffer<Real> products, sums;  // of a block [products, kRow]; [entries, lanes]
  Buffer<Wide> wide_sums;       // [entries, lanes]
  std::vector<const Real *> product_rows, power_rows;

  // on the way back
  Buffer<Real> factors, slope_factors;                  // dE/dG and that times dP/dcos of x^(zeta - 1), [entries]
  Real by_cosine[kRow<Real>], by_separation[kRow<Real>];  // the latter divided by the separation at the end
  Buffer<Real> by_near;                                 // [n_near, size] of k
  Buffer<Real> by_unit[3], by_vector[3], by_distance;   // [size]
  Buffer<Real> of_j;                                    // [j, 6 + n_near, lanes]: by_unit, by_vector and by_near
};

template <typename Real, typename Wide>
class AngularPart {
 public:
  using Near = Neighborhood<Real, Wide>;
  using Workspace = AngularWorkspace<Real, Wide>;

  AngularPart(const bp::CutoffFunction &cutoff, const bp::AngularPlan &plan) : near_(cutoff, plan.near) {
    for (const bp::PairPlan &pair : plan.pairs) terms_.emplace_back(cutoff, pair);
  }

  bool is_empty() const { return terms_.empty(); }
  const std::vector<PairTerms<Real>> &terms() const { return terms_; }

  // Fills `rows`.
  void prepare(const Near &near, NearRows<Real> &rows, Buffer<Real> &cutoffs) const {
    rows.size = near.size();
    for (Buffer<Real> *buffer : {&rows.values, &rows.slopes}) provide(*buffer, near_.count() * rows.size);
    for (std::int64_t type = 0; type < static_cast<std::int64_t>(near.counts.size()); ++type) {
      if (near.counts[type] == 0) continue;
      const std::int64_t first = near.first(type);
      near_.evaluate(near.distance.data() + first, near.padded_count(type) + kLanes<Real>, rows.size,
                     rows.values.data() + first, rows.slopes.data() + first, cutoffs);
    }
  }

  // Adds to G.
  void sum(const Near &near, NearRows<Real> &rows, Workspace &work, Wide *g) const {
    prepare(near, rows, work.cutoffs);
    for (const PairTerms<Real> &terms : terms_) {
      if (!has_pairs(near, terms.plan())) continue;
      work.wide_sums.assign(terms.n_entries(), Wide(0));
      for_blocks(near, terms, work, [&](int own) {
        provide(work.sums, terms.n_entries() * kLanes<Real>);
        std::fill_n(work.sums.data(), terms.n_entries() * kLanes<Real>, Real(0));
        const std::vector<bp::Block> &blocks = terms.plan().blocks;
        for (std::size_t b = 0; b < blocks.size(); ++b) add_block(blocks[b], terms.entry(b), own, rows, work);
        add_lanes(work.sums.data(), terms.n_entries(), work.wide_sums.data());
      });
      const Wide *sums = work.wide_sums.data();
      for (const bp::Block &block : terms.plan().blocks)
        for (const bp::Target &target : block.targets) g[target.input] += target.weight * *sums++;
    }
  }

  // Adds to the gradients of the atom's pairs, from dE/dG.
  void differentiate(const Near &near, const NearRows<Real> &rows, const Real *by_g, Workspace &work,
                     double *gradients) const {
    const std::int64_t size = near.size();
    work.by_near.assign(near_.count() * size, Real(0));
    work.by_distance.assign(size, Real(0));
    for (int c = 0; c < 3; ++c) work.by_unit[c].assign(size, Real(0));
    for (int c = 0; c < 3; ++c) work.by_vector[c].assign(size, Real(0));
    for (const PairTerms<Real> &terms : terms_) {
      if (!has_pairs(near, terms.plan())) continue;
      fill_factors(terms, by_g, work);
      const int own = role_of_j(near, terms.plan());
      const std::int64_t type = terms.plan().types[own], first = near.first(type);
      work.of_j.assign(near.counts[type] * n_of_j() * kLanes<Real>, Real(0));
      for_blocks(near, terms, work, [&](int) {
        std::fill_n(work.by_cosine, kRow<Real>, Real(0));
        if (terms.has_thirds()) std::fill_n(work.by_separation, kRow<Real>, Real(0));
        const std::vector<bp::Block> &blocks = terms.plan().blocks;
        for (std::size_t b = 0; b < blocks.size(); ++b)
          differentiate_block(blocks[b], terms.entry(b), own, first, rows, work);
        add_directions(near, first, work);
        if (terms.has_thirds()) add_separations(near, first, work);
      });
      for (std::int64_t j = 0; j < near.counts[type]; ++j) add_of_j(rows, first + j, j, terms.has_thirds(), work);
    }
    for (std::int64_t type = 0; type < static_cast<std::int64_t>(near.counts.size()); ++type)
      add_gradients(near, rows, type, work, gradients);
  }

 private:
  using Vector = typename VectorOf<Real>::type;
  static constexpr std::int64_t kWidth = kLanes<Real>;

  static bool has_pairs(const Near &near, const bp::PairPlan &plan) {
    const std::int64_t a = near.counts[plan.types[0]], b = near.counts[plan.types[1]];
    return plan.types[0] == plan.types[1] ? a > 1 : a > 0 && b > 0;
  }

  // Which of the two types j has: vectors of the more frequent one are filled better.
  static int role_of_j(const Near &near, const bp::PairPlan &plan) {
    return near.counts[plan.types[0]] > near.counts[plan.types[1]] ? 1 : 0;
  }

  std::int64_t n_of_j() const { return 6 + near_.count(); }

  // Calls visit(role of j) for each block, once its terms have been found.
  template <typename Visit>
  void for_blocks(const Near &near, const PairTerms<Real> &terms, Workspace &work, Visit visit) const {
    const bp::PairPlan &plan = terms.plan();
    const int own = role_of_j(near, plan);
    const std::int64_t type_j = plan.types[own], type_k = plan.types[1 - own];
    const std::int64_t first_j = near.first(type_j), first_k = near.first(type_k), n_k = near.counts[type_k];
    const auto flush = [&] {
      if (work.n_vectors == 0) return;
      fill_geometry(near, terms.has_thirds(), work);
      terms.fill(work.n_vectors, work.rows);
      visit(own);
      work.n_vectors = 0;
    };
    terms.begin(work.rows);
    work.n_vectors = 0;
    for (std::int64_t j = 0; j < near.counts[type_j]; ++j)
      for (std::int64_t k = type_j == type_k ? j + 1 : 0; k < n_k; k += kWidth) {
        work.j[work.n_vectors] = static_cast<std::int32_t>(first_j + j);
        work.k[work.n_vectors] = static_cast<std::int32_t>(first_k + k);
        if (++work.n_vectors == kBlockVectors) flush();
      }
    flush();
  }

  static void fill_geometry(const Near &near, bool has_separations, Workspace &work) {
    for (std::int64_t v = 0; v < work.n_vectors; ++v) {
      const std::int64_t j = work.j[v], k = work.k[v];
      store(work.rows.cosine + v * kWidth, near.unit[0][j] * load(near.unit[0].data() + k) +
                                               near.unit[1][j] * load(near.unit[1].data() + k) +
                                               near.unit[2][j] * load(near.unit[2].data() + k));
      if (!has_separations) continue;
      const Vector x = load(near.vector[0].data() + k) - near.vector[0][j];
      const Vector y = load(near.vector[1].data() + k) - near.vector[1][j];
      const Vector z = load(near.vector[2].data() + k) - near.vector[2][j];
      store(work.rows.separation + v * kWidth, x * x + y * y + z * z);
    }
  }

  // The sums of a block's functions.
  void add_block(const bp::Block &block, std::int64_t entry, int own, const NearRows<Real> &rows,
                 Workspace &work) const {
    const auto n_products = static_cast<std::int64_t>(block.products.size());
    provide(work.products, n_products * kRow<Real>);
    work.product_rows.clear();
    work.power_rows.clear();
    for (const int power : block.powers) work.power_rows.push_back(work.rows.power(power));
    for (std::int64_t p = 0; p < n_products; ++p) {
      const bp::Product &product = block.products[p];
      const Real *of_j = rows.value(product.near[own]), *of_k = rows.value(product.near[1 - own]);
      Real *to = work.products.data() + p * kRow<Real>;
      for (std::int64_t v = 0; v < work.n_vectors; ++v)
        store(to + v * kWidth, of_j[work.j[v]] * load(of_k + work.k[v]));
      if (product.third >= 0) {
        const Real *third = work.rows.third(product.third);
        for (std::int64_t at = 0; at < work.n_vectors * kWidth; at += kWidth) store(to + at, load(to + at) * load(third + at));
      }
      work.product_rows.push_back(to);
    }
    add_products(work.n_vectors, work.product_rows, work.power_rows, work.sums.data() + entry * kWidth);
  }

  // dE/dG by entry, without and with the factor of dP/dcos.
  static void fill_factors(const PairTerms<Real> &terms, const Real *by_g, Workspace &work) {
    provide(work.factors, terms.n_entries());
    provide(work.slope_factors, terms.n_entries());
    std::int64_t entry = 0;
    for (const bp::Block &block : terms.plan().blocks)
      for (std::size_t k = 0; k < block.targets.size(); ++k, ++entry) {
        const bp::Power &power = terms.plan().powers[block.powers[k % block.powers.size()]];
        const Real factor = by_g[block.targets[k].input] * static_cast<Real>(block.targets[k].weight);
        work.factors[entry] = factor;
        work.slope_factors[entry] = factor * static_cast<Real>(0.5 * power.lambda * power.exponent);
      }
  }

  void differentiate_block(const bp::Block &block, std::int64_t entry, int own, std::int64_t first_j,
                           const NearRows<Real> &rows, Workspace &work) const {
    constexpr std::int64_t kTile = kVectorBytes == 64 ? 4 : 2;
    const auto n_products = static_cast<std::int64_t>(block.products.size());
    for (std::int64_t p = 0; p < n_products; p += kTile)
      with_count(std::min(kTile, n_products - p), [&](auto count) {
        constexpr int kProducts = decltype(count)::value;
        std::int64_t v = 0;
        for (; v + 2 <= work.n_vectors; v += 2)
          differentiate_tile<kProducts, 2>(block, p, entry, own, first_j, v, rows, work);
        if (v < work.n_vectors) differentiate_tile<kProducts, 1>(block, p, entry, own, first_j, v, rows, work);
      });
  }

  template <int Products, int Vectors>
  void differentiate_tile(const bp::Block &block, std::int64_t first_product, std::int64_t entry, int own,
                          std::int64_t first_j, std::int64_t v, const NearRows<Real> &rows, Workspace &work) const {
    Vector s[Products][Vectors] = {}, d[Products][Vectors] = {};
    const auto n_powers = static_cast<std::int64_t>(block.powers.size());
    const Real *factors = work.factors.data() + entry + first_product * n_powers;
    const Real *slope_factors = work.slope_factors.data() + entry + first_product * n_powers;
    for (std::int64_t m = 0; m < n_powers; ++m) {
      const Real *value = work.rows.power(block.powers[m]) + v * kWidth;
      const Real *slope = work.rows.power_slope(block.powers[m]) + v * kWidth;
      Vector values[Vectors], slopes[Vectors];
#pragma GCC unroll 2
      for (int u = 0; u < Vectors; ++u) {
        values[u] = load(value + u * kWidth);
        slopes[u] = load(slope + u * kWidth);
      }
#pragma GCC unroll 4
      for (int p = 0; p < Products; ++p)
#pragma GCC unroll 2
        for (int u = 0; u < Vectors; ++u) {
          s[p][u] += factors[p * n_powers + m] * values[u];
          d[p][u] += slope_factors[p * n_powers + m] * slopes[u];
        }
    }
#pragma GCC unroll 2
    for (int u = 0; u < Vectors; ++u) {
      const std::int64_t j = work.j[v + u], k = work.k[v + u], at = (v + u) * kWidth;
      Real *of_j = work.of_j.data() + ((j - first_j) * n_of_j() + 6) * kWidth;
      Vector by_cosine = load(work.by_cosine + at);
#pragma GCC unroll 4
      for (int p = 0; p < Products; ++p) {
        const bp::Product &product = block.products[first_product + p];
        const int row_j = product.near[own], row_k = product.near[1 - own];
        const Real at_j = rows.value(row_j)[j];
        Vector at_k = load(rows.value(row_k) + k), scaled = at_j * s[p][u];
        if (product.third >= 0) {
          const Vector third = load(work.rows.third(product.third) + at);
          Real *to = work.by_separation + at;
          store(to, load(to) + scaled * at_k * load(work.rows.third_slope(product.third) + at));
          at_k *= third;
          scaled *= third;
        }
        by_cosine += (at_j * at_k) * d[p][u];
        Real *to_j = of_j + row_j * kWidth, *to_k = work.by_near.data() + row_k * rows.size + k;
        store(to_j, load(to_j) + at_k * s[p][u]);
        store(to_k, load(to_k) + scaled);
      }
      store(work.by_cosine + at, by_cosine);
    }
  }

  // From dE/dcos to the directions of j and k.
  void add_directions(const Near &near, std::int64_t first_j, Workspace &work) const {
    for (std::int64_t v = 0; v < work.n_vectors; ++v) {
      const std::int64_t j = work.j[v], k = work.k[v];
      const Vector by_cosine = load(work.by_cosine + v * kWidth);
      Real *of_j = work.of_j.data() + (j - first_j) * n_of_j() * kWidth;
#pragma GCC unroll 3
      for (int c = 0; c < 3; ++c) {
        Real *to_j = of_j + c * kWidth, *to_k = work.by_unit[c].data() + k;
        store(to_j, load(to_j) + by_cosine * load(near.unit[c].data() + k));
        store(to_k, load(to_k) + by_cosine * near.unit[c][j]);
      }
    }
  }

  // From the derivative by the separation to the vectors of j and k.
  void add_separations(const Near &near, std::int64_t first_j, Workspace &work) const {
    for (std::int64_t v = 0; v < work.n_vectors; ++v) {
      const std::int64_t j = work.j[v], k = work.k[v];
      const Vector along = load(work.by_separation + v * kWidth) * load(work.rows.inverse + v * kWidth);
      Real *of_j = work.of_j.data() + ((j - first_j) * n_of_j() + 3) * kWidth;
#pragma GCC unroll 3
      for (int c = 0; c < 3; ++c) {
        const Vector change = along * (load(near.vector[c].data() + k) - near.vector[c][j]);
        Real *to_j = of_j + c * kWidth, *to_k = work.by_vector[c].data() + k;
        store(to_j, load(to_j) - change);
        store(to_k, load(to_k) + change);
      }
    }
  }

  // The sums over lanes of what one j has got.
  void add_of_j(const NearRows<Real> &rows, std::int64_t place, std::int64_t j, bool has_separations,
                Workspace &work) const {
    const Real *from = work.of_j.data() + j * n_of_j() * kWidth;
    for (int c = 0; c < 3; ++c) add_lanes(from + c * kWidth, 1, work.by_unit[c].data() + place);
    for (int c = 0; has_separations && c < 3; ++c)
      add_lanes(from + (3 + c) * kWidth, 1, work.by_vector[c].data() + place);
    Vector along = {};
    for (std::int64_t row = 0; row < near_.count(); ++row)
      along += rows.slope(row)[place] * load(from + (6 + row) * kWidth);
    Real lanes[kWidth];
    store(lanes, along);
    add_lanes(lanes, 1, work.by_distance.data() + place);
  }

  // Of the pairs with neighbours of a type.
  void add_gradients(const Near &near, const NearRows<Real> &rows, std::int64_t type, Workspace &work,
                     double *gradients) const {
    const std::int64_t first = near.first(type), count = near.counts[type];
    for (std::int64_t at = first; at < first + near.padded_count(type) && count > 0; at += kWidth) {
      Vector by_distance = load(work.by_distance.data() + at);
      for (std::int64_t row = 0; row < near_.count(); ++row)
        by_distance += load(rows.slope(row) + at) * load(work.by_near.data() + row * rows.size + at);
      Vector unit[3], across[3], along = {};
      for (int c = 0; c < 3; ++c) {
        unit[c] = load(near.unit[c].data() + at);
        across[c] = load(work.by_unit[c].data() + at);
        along += unit[c] * across[c];
      }
      const Vector inverse = load(near.inverse.data() + at);
      for (int c = 0; c < 3; ++c) {
        Real *to = work.by_vector[c].data() + at;
        store(to, load(to) + by_distance * unit[c] + inverse * (across[c] - along * unit[c]));
      }
    }
    for (std::int64_t p = first; p < first + count; ++p)
      for (int c = 0; c < 3; ++c) gradients[3 * near.place[p] + c] += static_cast<double>(work.by_vector[c][p]);
  }

  DistanceFunctions<Real> near_;
  std::vector<PairTerms<Real>> terms_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
