// Kernels of embedding.hpp.
#include "dp/embedding.hpp"

#include <algorithm>

#include "dp/contraction.hpp"
#include "kernel.hpp"
#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

using namespace dp;

constexpr std::int64_t kBlock = 32;  // pairs worked on at once: their activations stay in the second-level cache

// Walks the pairs of the atoms first..last in blocks: prepare(e0, n) once per block, then visit(atom, e, slot) once per
// pair, then finish(e0, n).
template <typename Prepare, typename Visit, typename Finish>
void for_blocks(const std::int64_t *start, std::int64_t first, std::int64_t last, Prepare prepare, Visit visit,
                Finish finish) {
  std::int64_t atom = first;
  for (std::int64_t e0 = start[first]; e0 < start[last]; e0 += kBlock) {
    const std::int64_t n = std::min(kBlock, start[last] - e0);
    prepare(e0, n);
    for (std::int64_t slot = 0; slot < n; ++slot) {
      while (e0 + slot >= start[atom + 1]) ++atom;
      visit(atom, e0 + slot, slot);
    }
    finish(e0, n);
  }
}

template <typename Activation, typename Real>
void evaluate(const EmbeddingSums<Real> &out, std::int64_t first, std::int64_t last) {
  const EmbeddingPairs<Real> &pairs = out.pairs;
  Real *sums = out.sums;
  Net<Real> &net = net_of_thread<Real>();
  net.prepare(out.net, kBlock, 0);
  const std::int64_t n_features = net.n_features();
  std::fill(sums + first * 4 * n_features, sums + last * 4 * n_features, Real(0));
  for_blocks(
      pairs.start, first, last,
      [&](std::int64_t e0, std::int64_t n) { net.template forward<Activation, 0>(pairs.s + e0, nullptr, n); },
      [&](std::int64_t atom, std::int64_t e, std::int64_t slot) {
        add_outer(pairs.rows + 4 * e, net.output().y.data() + slot * net.width(), n_features,
                  sums + atom * 4 * n_features, n_features);
      },
      [](std::int64_t, std::int64_t) {});
}

template <typename Activation, typename Real>
void evaluate(const EmbeddingBackward<Real> &out, std::int64_t first, std::int64_t last) {
  const EmbeddingPairs<Real> &pairs = out.pairs;
  Net<Real> &net = net_of_thread<Real>();
  net.prepare(out.net, kBlock, out.s ? 1 : 0);
  const std::int64_t n_features = net.n_features(), width = net.width();
  NetGradient<Real> &gradient = gradient_of_thread<Real>();
  gradient.prepare(net.layers(), out.parameters);
  const Buffer<Real> ones(kBlock, Real(1));  // derivatives are those by s itself
  for_blocks(
      pairs.start, first, last,
      [&](std::int64_t e0, std::int64_t n) {
        if (out.s)
          net.template forward<Activation, 1>(pairs.s + e0, ones.data(), n);
        else
          net.template forward<Activation, 0>(pairs.s + e0, nullptr, n);
        std::fill(net.bar.begin(), net.bar.end(), Real(0));
      },
      [&](std::int64_t atom, std::int64_t e, std::int64_t slot) {
        const Real *u = out.sums_gradient + atom * 4 * n_features;
        Real *factors = net.bar.data() + slot * width;
        if (out.s || out.parameters) combine_rows(pairs.rows + 4 * e, u, n_features, n_features, factors);
        if (out.s) out.s[e] = dot(factors, net.output().y1.data() + slot * width, n_features);
        if (out.rows)
          project(u, n_features, net.output().y.data() + slot * width, n_features, Real(1), out.rows + 4 * e);
      },
      [&](std::int64_t, std::int64_t n) {
        if (out.parameters) net.template reverse<Activation, 0>(n, gradient, nullptr);
      });
  gradient.finish();
}

template <typename Activation, typename Real>
void evaluate(const EmbeddingDoubleBackward<Real> &out, std::int64_t first, std::int64_t last) {
  const EmbeddingPairs<Real> &pairs = out.pairs;
  Net<Real> &net = net_of_thread<Real>();
  net.prepare(out.net, kBlock, out.s ? 2 : 1);
  const std::int64_t n_features = net.n_features(), width = net.width();
  NetGradient<Real> &gradient = gradient_of_thread<Real>();
  gradient.prepare(net.layers(), out.parameters);
  const Buffer<Real> ones(kBlock, Real(1));  // derivatives are those by s itself
  if (out.sums) std::fill(out.sums + first * 4 * n_features, out.sums + last * 4 * n_features, Real(0));
  for_blocks(
      pairs.start, first, last,
      [&](std::int64_t e0, std::int64_t n) {
        if (out.s)
          net.template forward<Activation, 2>(pairs.s + e0, ones.data(), n);
        else
          net.template forward<Activation, 1>(pairs.s + e0, ones.data(), n);
        std::fill(net.bar.begin(), net.bar.end(), Real(0));
        std::fill(net.bar1.begin(), net.bar1.end(), Real(0));
      },
      [&](std::int64_t atom, std::int64_t e, std::int64_t slot) {
        // <directions, gradients> = sum_m (p_m G_m + q_m G'_m), p = rows_direction . U, q = s_direction (R . U)
        const Real *u = out.sums_gradient + atom * 4 * n_features;
        const Real *y = net.output().y.data() + slot * width, *y1 = net.output().y1.data() + slot * width;
        Real *p = net.bar.data() + slot * width, *q = net.bar1.data() + slot * width;
        const Real direction = out.s_direction[e];
        Real row[4];
        for (int c = 0; c < 4; ++c) row[c] = direction * pairs.rows[4 * e + c];
        combine_rows(out.rows_direction + 4 * e, u, n_features, n_features, p);
        combine_rows(row, u, n_features, n_features, q);
        if (out.sums) {
          Real *sums = out.sums + atom * 4 * n_features;
          add_outer(out.rows_direction + 4 * e, y, n_features, sums, n_features);
          add_outer(row, y1, n_features, sums, n_features);
        }
        if (out.rows) project(u, n_features, y1, n_features, direction, out.rows + 4 * e);
        if (out.s) out.s[e] = dot(p, y1, n_features) + dot(q, net.output().y2.data() + slot * width, n_features);
      },
      [&](std::int64_t, std::int64_t n) {
        if (out.parameters) net.template reverse<Activation, 1>(n, gradient, nullptr);
      });
  gradient.finish();
}

template <typename Arguments>
void run(const Arguments &arguments, std::int64_t first, std::int64_t last) {
  with_activation(arguments.net.activation,
                  [&](auto activation) { evaluate<decltype(activation)>(arguments, first, last); });
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA

PWMLFF_KERNEL(dp::EmbeddingSums)
PWMLFF_KERNEL(dp::EmbeddingBackward)
PWMLFF_KERNEL(dp::EmbeddingDoubleBackward)
