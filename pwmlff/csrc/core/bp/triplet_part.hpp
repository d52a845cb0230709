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
#include "bp/row_products.hpp"
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

// A product of a plan with its rows of one atom.
template <typename Real>
struct ProductRows {
  const Real *of_j, *of_k, *third, *third_slope;  // the latter two are null where it has none
  Real *by_k;                                     // dE/dh_k
  std::int64_t row_j;                             // of g_j
};

// Buffers of one thread.
template <typename Real, typename Wide>
struct TripletWorkspace {
  TermRows<Real> rows;
  std::int64_t n_vectors = 0, n_slots = 0;
  // places of j and of the first k, and the count of j within the block
  std::int32_t j[kBlockVectors], k[kBlockVectors], slot[kBlockVectors];
  Buffer<Real> cutoffs;
  std::vector<ProductRows<Real>> products;  // of all blocks of a plan
  Buffer<Real> factors_of_powers, sums;     // of a block [products, kRow]; [entries, lanes]
  Buffer<Wide> wide_sums;                   // [entries]
  std::vector<const Real *> product_rows, power_rows;

  // on the way back
  Buffer<Real> by_powers, by_slopes;  // dE/dG, and that times dP/dcos over x^(zeta - 1), [entries]
  Real by_cosine[kRow<Real>], by_separation[kRow<Real>];
  Buffer<Real> by_near, by_j;             // dE/dh_k [n_near, size], dE/dg_j [slots, n_near, lanes]
  Buffer<Real> by_unit[3], by_vector[3];  // of k, and what else the vectors get [size]
};

template <typename Real, typename Wide>
class TripletPart {
 public:
  using Near = Neighborhood<Real, Wide>;
  using Workspace = TripletWorkspace<Real, Wide>;

  TripletPart(const bp::CutoffFunction &cutoff, const bp::TripletPlan &plan) : near_(cutoff, plan.near) {
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
      const std::vector<bp::Block> &blocks = terms.plan().blocks;
      work.wide_sums.assign(terms.n_entries(), Wide(0));
      provide(work.sums, terms.n_entries() * kWidth);
      collect_products(near, rows, terms, work);
      for_blocks<false>(near, terms, work, [&] {
        std::fill_n(work.sums.data(), terms.n_entries() * kWidth, Real(0));
        const ProductRows<Real> *products = work.products.data();
        for (std::size_t b = 0; b < blocks.size(); products += blocks[b].products.size(), ++b)
          add_block(blocks[b], products, terms.entry(b), work);
        for (std::int64_t entry = 0; entry < terms.n_entries(); ++entry)
          work.wide_sums[entry] += sum_of_lanes<Real>(work.sums.data() + entry * kWidth);
      });
      const Wide *sums = work.wide_sums.data();
      for (const bp::Block &block : blocks)
        for (const bp::Target &target : block.targets) g[target.input] += target.weight * *sums++;
    }
  }

  // Adds to the gradients of the atom's pairs, from dE/dG.
  void differentiate(const Near &near, const NearRows<Real> &rows, const Real *by_g, Workspace &work,
                     double *gradients) const {
    const std::int64_t size = near.size();
    work.by_near.assign(near_.count() * size, Real(0));
    for (int c = 0; c < 3; ++c) work.by_unit[c].assign(size, Real(0));
    for (int c = 0; c < 3; ++c) work.by_vector[c].assign(size, Real(0));
    provide(work.by_j, kBlockVectors * near_.count() * kWidth);
    for (const PairTerms<Real> &terms : terms_) {
      if (!has_pairs(near, terms.plan())) continue;
      const std::vector<bp::Block> &blocks = terms.plan().blocks;
      fill_factors(terms, by_g, work);
      collect_products(near, rows, terms, work);
      for_blocks<true>(near, terms, work, [&] {
        std::fill_n(work.by_cosine, work.n_vectors * kWidth, Real(0));
        if (terms.has_thirds()) std::fill_n(work.by_separation, work.n_vectors * kWidth, Real(0));
        std::fill_n(work.by_j.data(), work.n_slots * near_.count() * kWidth, Real(0));
        const ProductRows<Real> *products = work.products.data();
        for (std::size_t b = 0; b < blocks.size(); products += blocks[b].products.size(), ++b)
          differentiate_block(blocks[b], products, terms.entry(b), work);
        if (terms.has_thirds())
          add_directions<true>(near, rows, work);
        else
          add_directions<false>(near, rows, work);
      });
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

  static void collect_products(const Near &near, const NearRows<Real> &rows, const PairTerms<Real> &terms,
                               Workspace &work) {
    const int own = role_of_j(near, terms.plan());
    terms.begin(work.rows);
    work.products.clear();
    for (const bp::Block &block : terms.plan().blocks)
      for (const bp::Product &product : block.products) {
        const int row_j = product.near[own], row_k = product.near[1 - own];
        const bool has_third = product.third >= 0;
        work.products.push_back({rows.value(row_j), rows.value(row_k),
                                 has_third ? work.rows.third(product.third) : nullptr,
                                 has_third ? work.rows.third_slope(product.third) : nullptr,
                                 work.by_near.data() + row_k * rows.size, row_j});
      }
  }

  // Calls visit() for each block, once its terms have been found.
  template <bool HasSlopes, typename Visit>
  void for_blocks(const Near &near, const PairTerms<Real> &terms, Workspace &work, Visit visit) const {
    const bp::PairPlan &plan = terms.plan();
    const int own = role_of_j(near, plan);
    const std::int64_t type_j = plan.types[own], type_k = plan.types[1 - own];
    const std::int64_t first_j = near.first(type_j), first_k = near.first(type_k), n_k = near.counts[type_k];
    std::int64_t n = 0, slot = -1;
    const auto flush = [&] {
      work.n_vectors = n;
      work.n_slots = slot + 1;
      fill_geometry(near, terms.has_thirds(), work);
      terms.template fill<HasSlopes>(n, work.rows);
      visit();
      n = 0;
    };
    for (std::int64_t j = 0; j < near.counts[type_j]; ++j) {
      ++slot;
      for (std::int64_t k = type_j == type_k ? j + 1 : 0; k < n_k; k += kWidth) {
        if (n == 0) slot = 0;
        work.j[n] = static_cast<std::int32_t>(first_j + j);
        work.k[n] = static_cast<std::int32_t>(first_k + k);
        work.slot[n] = static_cast<std::int32_t>(slot);
        if (++n == kBlockVectors) flush();
      }
    }
    if (n > 0) flush();
  }

  static void fill_geometry(const Near &near, bool has_separations, Workspace &work) {
    const Real *x = near.unit[0].data(), *y = near.unit[1].data(), *z = near.unit[2].data();
    for (std::int64_t v = 0; v < work.n_vectors; ++v) {
      const std::int64_t j = work.j[v], k = work.k[v];
      store(work.rows.cosine + v * kWidth, x[j] * load(x + k) + y[j] * load(y + k) + z[j] * load(z + k));
    }
    if (!has_separations) return;
    x = near.vector[0].data(), y = near.vector[1].data(), z = near.vector[2].data();
    for (std::int64_t v = 0; v < work.n_vectors; ++v) {
      const std::int64_t j = work.j[v], k = work.k[v];
      const Vector dx = load(x + k) - x[j], dy = load(y + k) - y[j], dz = load(z + k) - z[j];
      store(work.rows.separation + v * kWidth, dx * dx + dy * dy + dz * dz);
    }
  }

  // The sums of a block's functions.
  static void add_block(const bp::Block &block, const ProductRows<Real> *products, std::int64_t entry,
                        Workspace &work) {
    const auto n_products = static_cast<std::int64_t>(block.products.size());
    const std::int64_t n = work.n_vectors;
    provide(work.factors_of_powers, n_products * kRow<Real>);
    work.product_rows.clear();
    work.power_rows.clear();
    for (const int power : block.powers) work.power_rows.push_back(work.rows.power(power));
    for (std::int64_t p = 0; p < n_products; ++p) {
      const Real *of_j = products[p].of_j, *of_k = products[p].of_k, *third = products[p].third;
      Real *to = work.factors_of_powers.data() + p * kRow<Real>;
      for (std::int64_t v = 0; v < n; ++v) store(to + v * kWidth, of_j[work.j[v]] * load(of_k + work.k[v]));
      if (third)
        for (std::int64_t at = 0; at < n * kWidth; at += kWidth) store(to + at, load(to + at) * load(third + at));
      work.product_rows.push_back(to);
    }
    add_products(n, work.product_rows, work.power_rows, work.sums.data() + entry * kWidth);
  }

  static void fill_factors(const PairTerms<Real> &terms, const Real *by_g, Workspace &work) {
    provide(work.by_powers, terms.n_entries());
    provide(work.by_slopes, terms.n_entries());
    std::int64_t entry = 0;
    for (const bp::Block &block : terms.plan().blocks)
      for (std::size_t k = 0; k < block.targets.size(); ++k, ++entry) {
        const bp::Power &power = terms.plan().powers[block.powers[k % block.powers.size()]];
        const Real factor = by_g[block.targets[k].input] * static_cast<Real>(block.targets[k].weight);
        work.by_powers[entry] = factor;
        work.by_slopes[entry] = factor * static_cast<Real>(0.5 * power.lambda * power.exponent);
      }
  }

  void differentiate_block(const bp::Block &block, const ProductRows<Real> *products, std::int64_t entry,
                           Workspace &work) const {
    constexpr std::int64_t kTile = kVectorBytes == 64 ? 4 : 2;
    const auto n_products = static_cast<std::int64_t>(block.products.size());
    const auto n_powers = static_cast<std::int64_t>(block.powers.size());
    work.power_rows.clear();
    for (const int power : block.powers) work.power_rows.push_back(work.rows.power(power));
    for (std::int64_t p = 0; p < n_products; p += kTile)
      with_count(std::min(kTile, n_products - p), [&](auto count) {
        constexpr int kProducts = decltype(count)::value;
        const std::int64_t first = entry + p * n_powers;
        std::int64_t v = 0;
        for (; v + 2 <= work.n_vectors; v += 2)
          differentiate_tile<kProducts, 2>(products + p, n_powers, first, v, work);
        if (v < work.n_vectors) differentiate_tile<kProducts, 1>(products + p, n_powers, first, v, work);
      });
  }

  template <int Products, int Vectors>
  void differentiate_tile(const ProductRows<Real> *products, std::int64_t n_powers, std::int64_t entry, std::int64_t v,
                          Workspace &work) const {
    Vector s[Products][Vectors] = {}, d[Products][Vectors] = {};
    const Real *by_powers = work.by_powers.data() + entry, *by_slopes = work.by_slopes.data() + entry;
    for (std::int64_t m = 0; m < n_powers; ++m) {
      const Real *value = work.power_rows[m] + v * kWidth, *slope = value + kRow<Real>;
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
          s[p][u] += by_powers[p * n_powers + m] * values[u];
          d[p][u] += by_slopes[p * n_powers + m] * slopes[u];
        }
    }
    Real *by_j = work.by_j.data();
#pragma GCC unroll 2
    for (int u = 0; u < Vectors; ++u) {
      const std::int64_t j = work.j[v + u], k = work.k[v + u], at = (v + u) * kWidth;
      Real *of_slot = by_j + work.slot[v + u] * near_.count() * kWidth;
      Vector by_cosine = load(work.by_cosine + at);
#pragma GCC unroll 4
      for (int p = 0; p < Products; ++p) {
        const ProductRows<Real> &product = products[p];
        const Real at_j = product.of_j[j];
        Vector at_k = load(product.of_k + k), scaled = at_j * s[p][u];
        if (product.third) {
          const Vector third = load(product.third + at);
          Real *to = work.by_separation + at;
          store(to, load(to) + scaled * at_k * load(product.third_slope + at));
          at_k *= third;
          scaled *= third;
        }
        by_cosine += (at_j * at_k) * d[p][u];
        Real *to_j = of_slot + product.row_j * kWidth, *to_k = product.by_k + k;
        store(to_j, load(to_j) + at_k * s[p][u]);
        store(to_k, load(to_k) + scaled);
      }
      store(work.by_cosine + at, by_cosine);
    }
  }

  // From dE/dcos, and dE/dr_jk, to the directions and vectors of k, and to the vector of each j.
  template <bool HasSeparations>
  void add_directions(const Near &near, const NearRows<Real> &rows, Workspace &work) const {
    for (std::int64_t v = 0; v < work.n_vectors;) {
      const std::int64_t j = work.j[v];
      const Real unit[3] = {near.unit[0][j], near.unit[1][j], near.unit[2][j]};
      Vector by_unit[3] = {}, by_vector[3] = {};
      const Real *by_near = work.by_j.data() + work.slot[v] * near_.count() * kWidth;
      for (; v < work.n_vectors && work.j[v] == j; ++v) {
        const std::int64_t k = work.k[v];
        const Vector by_cosine = load(work.by_cosine + v * kWidth);
#pragma GCC unroll 3
        for (int c = 0; c < 3; ++c) {
          Real *to = work.by_unit[c].data() + k;
          by_unit[c] += by_cosine * load(near.unit[c].data() + k);
          store(to, load(to) + by_cosine * unit[c]);
        }
        if constexpr (HasSeparations) {
          const Vector along = load(work.by_separation + v * kWidth) * load(work.rows.inverse + v * kWidth);
#pragma GCC unroll 3
          for (int c = 0; c < 3; ++c) {
            Real *to = work.by_vector[c].data() + k;
            const Vector change = along * (load(near.vector[c].data() + k) - near.vector[c][j]);
            by_vector[c] -= change;
            store(to, load(to) + change);
          }
        }
      }
      Vector by_distance = {}, along = {};
      for (std::int64_t row = 0; row < near_.count(); ++row)
        by_distance += rows.slope(row)[j] * load(by_near + row * kWidth);
#pragma GCC unroll 3
      for (int c = 0; c < 3; ++c) along += unit[c] * by_unit[c];
      const Vector radial = by_distance - near.inverse[j] * along;
#pragma GCC unroll 3
      for (int c = 0; c < 3; ++c)
        work.by_vector[c][j] += sum_of_lanes<Real>(by_vector[c] + radial * unit[c] + near.inverse[j] * by_unit[c]);
    }
  }

  // Of the pairs with neighbours of a type.
  void add_gradients(const Near &near, const NearRows<Real> &rows, std::int64_t type, Workspace &work,
                     double *gradients) const {
    const std::int64_t first = near.first(type), count = near.counts[type];
    for (std::int64_t at = first; at < first + count; at += kWidth) {
      Vector by_distance = {};
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
