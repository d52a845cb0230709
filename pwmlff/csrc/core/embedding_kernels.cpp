// Kernels of embedding.hpp, compiled once per instruction set in the namespace PWMLFF_ISA.
#include "embedding_kernels.hpp"

#include <algorithm>
#include <memory>

#include "activation.hpp"
#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

constexpr std::int64_t kBlock = 32;  // pairs worked on at once: their activations stay in the second-level cache

template <typename Real>
using Buffer = std::vector<Real>;

// One layer with its weights laid out for the products; rows are padded to whole vectors with zeros.
template <typename Real>
struct Layer {
  std::int64_t n_in, n_out, width;  // width: n_out padded
  int copies;                       // how many times the input is added to the output
  Buffer<Real> weight;              // [n_in, width], W^T
  Buffer<Real> weight_back;         // [n_out, padded n_in], W
  Buffer<Real> bias, scale;         // [width]
};

template <typename Real>
std::vector<Layer<Real>> pack(const EmbeddingNet<Real> &net) {
  std::vector<Layer<Real>> layers;
  const Real *next = net.parameters;
  std::int64_t n_in = 1;
  for (const std::int64_t n_out : net.widths) {
    Layer<Real> layer;
    layer.n_in = n_in;
    layer.n_out = n_out;
    layer.width = padded<Real>(n_out);
    layer.copies = layers.empty() ? 0 : n_out == n_in ? 1 : n_out == 2 * n_in ? 2 : 0;
    const std::int64_t width_in = padded<Real>(n_in);
    layer.weight.assign(n_in * layer.width, Real(0));
    layer.weight_back.assign(n_out * width_in, Real(0));
    for (std::int64_t j = 0; j < n_out; ++j)
      for (std::int64_t k = 0; k < n_in; ++k)
        layer.weight[k * layer.width + j] = layer.weight_back[j * width_in + k] = next[j * n_in + k];
    next += n_out * n_in;
    layer.bias.assign(layer.width, Real(0));
    std::copy(next, next + n_out, layer.bias.begin());
    next += n_out;
    layer.scale.assign(layer.width, Real(0));
    std::copy(next, next + n_out, layer.scale.begin());
    next += n_out;
    n_in = n_out;
    layers.push_back(std::move(layer));
  }
  return layers;
}

// What a block's passes leave for the next: per layer the value a = phi(z), dz/ds, d2z/ds2 and the outputs y, y', y''.
template <typename Real>
struct LayerState {
  Buffer<Real> a, z1, z2, y, y1, y2;
};

template <typename Real>
class Net {
 public:
  explicit Net(const EmbeddingNet<Real> &net) : layers(pack(net)), states(layers.size()) {
    std::int64_t widest = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const std::int64_t size = kBlock * layers[l].width;
      for (Buffer<Real> *buffer :
           {&states[l].a, &states[l].z1, &states[l].z2, &states[l].y, &states[l].y1, &states[l].y2})
        buffer->resize(size);
      widest = std::max(widest, layers[l].width);
    }
    for (Buffer<Real> *buffer : {&bar, &bar1, &bar_in, &bar1_in}) buffer->resize(kBlock * widest);
  }

  // Evaluates the net and its first `Order` derivatives by s for n pairs.
  template <typename Activation, int Order>
  void forward(const Real *s, std::int64_t n) {
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Layer<Real> &layer = layers[l];
      LayerState<Real> &state = states[l];
      const std::int64_t width = layer.width;
      if (l == 0) {
        for (std::int64_t e = 0; e < n; ++e)
          for (std::int64_t j = 0; j < width; ++j) {
            state.a[e * width + j] = layer.weight[j] * s[e];
            if (Order >= 1) state.z1[e * width + j] = layer.weight[j];
            if (Order >= 2) state.z2[e * width + j] = Real(0);
          }
      } else {
        const LayerState<Real> &input = states[l - 1];
        const std::int64_t width_in = layers[l - 1].width;
        const auto product = [&](const Buffer<Real> &x, Buffer<Real> &z) {
          multiply<Real>(n, width, layer.n_in, x.data(), width_in, 1, layer.weight.data(), width, z.data(), width,
                         false);
        };
        product(input.y, state.a);
        if (Order >= 1) product(input.y1, state.z1);
        if (Order >= 2) product(input.y2, state.z2);
      }
      activate<Activation, Order>(layer, state, n);
      if (layer.copies > 0) {
        const LayerState<Real> &input = states[l - 1];
        add_links(layer, layers[l - 1].width, input.y, state.y, n);
        if (Order >= 1) add_links(layer, layers[l - 1].width, input.y1, state.y1, n);
        if (Order >= 2) add_links(layer, layers[l - 1].width, input.y2, state.y2, n);
      }
    }
  }

  // Adds to `gradient` the parameter gradients of sum(bar * y + bar1 * y'), where bar and bar1 [n, width] hold the
  // factors of the last layer's outputs and are overwritten. Order 0 leaves bar1 out.
  template <typename Activation, int Order>
  void reverse(const Real *s, std::int64_t n, std::vector<Layer<Real>> &gradient) {
    for (std::size_t l = layers.size(); l-- > 0;) {
      const Layer<Real> &layer = layers[l];
      const std::int64_t width = layer.width;
      if (layer.copies > 0) {
        gather_links(layer, layers[l - 1].width, bar, bar_in, n);
        if (Order >= 1) gather_links(layer, layers[l - 1].width, bar1, bar1_in, n);
      }
      differentiate<Activation, Order>(layer, states[l], n, gradient[l]);
      if (l == 0) {
        for (std::int64_t e = 0; e < n; ++e)
          for (std::int64_t j = 0; j < width; ++j) {
            gradient[0].weight[j] += bar[e * width + j] * s[e];
            if (Order >= 1) gradient[0].weight[j] += bar1[e * width + j];
          }
        return;
      }
      const LayerState<Real> &input = states[l - 1];
      const std::int64_t width_in = layers[l - 1].width;
      const auto product = [&](const Buffer<Real> &x, Buffer<Real> &factors, Buffer<Real> &out) {
        multiply<Real>(layer.n_in, width, n, x.data(), 1, width_in, factors.data(), width, gradient[l].weight.data(),
                       width, true);
        multiply<Real>(n, width_in, layer.n_out, factors.data(), width, 1, layer.weight_back.data(), width_in,
                       out.data(), width_in, layer.copies > 0);
        std::swap(factors, out);
      };
      product(input.y, bar, bar_in);
      if (Order >= 1) product(input.y1, bar1, bar1_in);
    }
  }

  std::vector<Layer<Real>> layers;
  std::vector<LayerState<Real>> states;
  Buffer<Real> bar, bar1;  // factors of the outputs while going backward, [kBlock, widest]

  const LayerState<Real> &output() const { return states.back(); }
  std::int64_t width() const { return layers.back().width; }
  std::int64_t n_features() const { return layers.back().n_out; }

 private:
  template <typename Activation, int Order>
  static void activate(const Layer<Real> &layer, LayerState<Real> &state, std::int64_t n) {
    const std::int64_t width = layer.width;
    const Real *__restrict bias = layer.bias.data();
    const Real *__restrict scale = layer.scale.data();
    for (std::int64_t e = 0; e < n; ++e) {
      Real *__restrict a = state.a.data() + e * width;
      Real *__restrict y = state.y.data() + e * width;
      const Real *__restrict z1 = state.z1.data() + e * width;
      const Real *__restrict z2 = state.z2.data() + e * width;
      Real *__restrict y1 = state.y1.data() + e * width;
      Real *__restrict y2 = state.y2.data() + e * width;
#pragma omp simd
      for (std::int64_t j = 0; j < width; ++j) {
        const Real value = Activation::value(a[j] + bias[j]);
        a[j] = value;
        y[j] = scale[j] * value;
        if (Order >= 1) {
          const Real first = Activation::first(value);
          y1[j] = scale[j] * first * z1[j];
          if (Order >= 2) y2[j] = scale[j] * (Activation::second(value, first) * z1[j] * z1[j] + first * z2[j]);
        }
      }
    }
  }

  // Turns the factors of a layer's outputs into those of its z and z', and collects bias and scale gradients.
  template <typename Activation, int Order>
  void differentiate(const Layer<Real> &layer, const LayerState<Real> &state, std::int64_t n, Layer<Real> &gradient) {
    const std::int64_t width = layer.width;
    const Real *__restrict scale = layer.scale.data();
    Real *__restrict bias_gradient = gradient.bias.data();
    Real *__restrict scale_gradient = gradient.scale.data();
    for (std::int64_t e = 0; e < n; ++e) {
      Real *__restrict factor = bar.data() + e * width;
      Real *__restrict factor1 = bar1.data() + e * width;
      const Real *__restrict a = state.a.data() + e * width;
      const Real *__restrict z1 = state.z1.data() + e * width;
#pragma omp simd
      for (std::int64_t j = 0; j < width; ++j) {
        const Real first = Activation::first(a[j]);
        Real scale_term = factor[j] * a[j];
        Real z_factor = factor[j] * scale[j] * first;
        if (Order >= 1) {
          const Real scaled = factor1[j] * scale[j];
          scale_term += factor1[j] * first * z1[j];
          z_factor += scaled * Activation::second(a[j], first) * z1[j];
          factor1[j] = scaled * first;
        }
        factor[j] = z_factor;
        bias_gradient[j] += z_factor;
        scale_gradient[j] += scale_term;
      }
    }
  }

  static void add_links(const Layer<Real> &layer, std::int64_t width_in, const Buffer<Real> &x, Buffer<Real> &y,
                        std::int64_t n) {
    for (std::int64_t e = 0; e < n; ++e)
      for (int copy = 0; copy < layer.copies; ++copy) {
        const Real *__restrict from = x.data() + e * width_in;
        Real *__restrict to = y.data() + e * layer.width + copy * layer.n_in;
        for (std::int64_t k = 0; k < layer.n_in; ++k) to[k] += from[k];
      }
  }

  static void gather_links(const Layer<Real> &layer, std::int64_t width_in, const Buffer<Real> &factors,
                           Buffer<Real> &out, std::int64_t n) {
    for (std::int64_t e = 0; e < n; ++e) {
      Real *__restrict to = out.data() + e * width_in;
      std::fill(to, to + width_in, Real(0));
      for (int copy = 0; copy < layer.copies; ++copy) {
        const Real *__restrict from = factors.data() + e * layer.width + copy * layer.n_in;
        for (std::int64_t k = 0; k < layer.n_in; ++k) to[k] += from[k];
      }
    }
  }

  Buffer<Real> bar_in, bar1_in;
};

template <typename Real>
std::vector<Layer<Real>> zero_gradients(const std::vector<Layer<Real>> &layers) {
  std::vector<Layer<Real>> gradient = layers;
  for (Layer<Real> &layer : gradient)
    for (Buffer<Real> *buffer : {&layer.weight, &layer.bias, &layer.scale})
      std::fill(buffer->begin(), buffer->end(), Real(0));
  return gradient;
}

template <typename Real>
void add_unpacked(const std::vector<Layer<Real>> &gradient, Real *parameters) {
  for (const Layer<Real> &layer : gradient) {
    for (std::int64_t j = 0; j < layer.n_out; ++j)
      for (std::int64_t k = 0; k < layer.n_in; ++k) *parameters++ += layer.weight[k * layer.width + j];
    for (std::int64_t j = 0; j < layer.n_out; ++j) *parameters++ += layer.bias[j];
    for (std::int64_t j = 0; j < layer.n_out; ++j) *parameters++ += layer.scale[j];
  }
}

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

// sums[c, m] += row[c] * x[m]
template <typename Real>
inline void add_outer(const Real *row, const Real *__restrict x, std::int64_t n_features, Real *__restrict sums) {
  Real *__restrict s0 = sums, *__restrict s1 = sums + n_features, *__restrict s2 = sums + 2 * n_features,
                   *__restrict s3 = sums + 3 * n_features;
  const Real r0 = row[0], r1 = row[1], r2 = row[2], r3 = row[3];
#pragma omp simd
  for (std::int64_t m = 0; m < n_features; ++m) {
    s0[m] += r0 * x[m];
    s1[m] += r1 * x[m];
    s2[m] += r2 * x[m];
    s3[m] += r3 * x[m];
  }
}

// out[m] = sum_c row[c] u[c, m]
template <typename Real>
inline void combine_rows(const Real *row, const Real *__restrict u, std::int64_t n_features, Real *__restrict out) {
  const Real *__restrict u0 = u, *__restrict u1 = u + n_features, *__restrict u2 = u + 2 * n_features,
                         *__restrict u3 = u + 3 * n_features;
  const Real r0 = row[0], r1 = row[1], r2 = row[2], r3 = row[3];
#pragma omp simd
  for (std::int64_t m = 0; m < n_features; ++m) out[m] = r0 * u0[m] + r1 * u1[m] + r2 * u2[m] + r3 * u3[m];
}

// out[c] = factor * sum_m u[c, m] x[m]
template <typename Real>
inline void project(const Real *__restrict u, const Real *__restrict x, std::int64_t n_features, Real factor,
                    Real *out) {
  const Real *__restrict u0 = u, *__restrict u1 = u + n_features, *__restrict u2 = u + 2 * n_features,
                         *__restrict u3 = u + 3 * n_features;
  Real t0 = 0, t1 = 0, t2 = 0, t3 = 0;
#pragma omp simd reduction(+ : t0, t1, t2, t3)
  for (std::int64_t m = 0; m < n_features; ++m) {
    t0 += u0[m] * x[m];
    t1 += u1[m] * x[m];
    t2 += u2[m] * x[m];
    t3 += u3[m] * x[m];
  }
  out[0] = factor * t0;
  out[1] = factor * t1;
  out[2] = factor * t2;
  out[3] = factor * t3;
}

template <typename Real>
inline Real dot(const Real *__restrict x, const Real *__restrict y, std::int64_t n) {
  Real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t m = 0; m < n; ++m) sum += x[m] * y[m];
  return sum;
}

template <typename Activation, typename Real>
void contract(const EmbeddingNet<Real> &description, const EmbeddingPairs<Real> &pairs, Real *sums, std::int64_t first,
              std::int64_t last) {
  Net<Real> net(description);
  const std::int64_t n_features = net.n_features();
  std::fill(sums + first * 4 * n_features, sums + last * 4 * n_features, Real(0));
  for_blocks(
      pairs.start, first, last,
      [&](std::int64_t e0, std::int64_t n) { net.template forward<Activation, 0>(pairs.s + e0, n); },
      [&](std::int64_t atom, std::int64_t e, std::int64_t slot) {
        add_outer(pairs.rows + 4 * e, net.output().y.data() + slot * net.width(), n_features,
                  sums + atom * 4 * n_features);
      },
      [](std::int64_t, std::int64_t) {});
}

template <typename Activation, typename Real>
void backward(const EmbeddingNet<Real> &description, const EmbeddingPairs<Real> &pairs, const Real *sums_gradient,
              const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last) {
  Net<Real> net(description);
  const std::int64_t n_features = net.n_features(), width = net.width();
  auto gradient = zero_gradients(net.layers);
  for_blocks(
      pairs.start, first, last,
      [&](std::int64_t e0, std::int64_t n) {
        if (out.s)
          net.template forward<Activation, 1>(pairs.s + e0, n);
        else
          net.template forward<Activation, 0>(pairs.s + e0, n);
        std::fill(net.bar.begin(), net.bar.end(), Real(0));
      },
      [&](std::int64_t atom, std::int64_t e, std::int64_t slot) {
        const Real *u = sums_gradient + atom * 4 * n_features;
        Real *factors = net.bar.data() + slot * width;
        if (out.s || out.parameters) combine_rows(pairs.rows + 4 * e, u, n_features, factors);
        if (out.s) out.s[e] = dot(factors, net.output().y1.data() + slot * width, n_features);
        if (out.rows) project(u, net.output().y.data() + slot * width, n_features, Real(1), out.rows + 4 * e);
      },
      [&](std::int64_t e0, std::int64_t n) {
        if (out.parameters) net.template reverse<Activation, 0>(pairs.s + e0, n, gradient);
      });
  if (out.parameters) add_unpacked(gradient, out.parameters);
}

template <typename Activation, typename Real>
void double_backward(const EmbeddingNet<Real> &description, const EmbeddingPairs<Real> &pairs,
                     const Real *sums_gradient, const Real *s_direction, const Real *rows_direction,
                     const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last) {
  Net<Real> net(description);
  const std::int64_t n_features = net.n_features(), width = net.width();
  auto gradient = zero_gradients(net.layers);
  if (out.sums) std::fill(out.sums + first * 4 * n_features, out.sums + last * 4 * n_features, Real(0));
  for_blocks(
      pairs.start, first, last,
      [&](std::int64_t e0, std::int64_t n) {
        if (out.s)
          net.template forward<Activation, 2>(pairs.s + e0, n);
        else
          net.template forward<Activation, 1>(pairs.s + e0, n);
        std::fill(net.bar.begin(), net.bar.end(), Real(0));
        std::fill(net.bar1.begin(), net.bar1.end(), Real(0));
      },
      [&](std::int64_t atom, std::int64_t e, std::int64_t slot) {
        // <directions, gradients> = sum_m (p_m G_m + q_m G'_m), p = rows_direction . U, q = s_direction (R . U)
        const Real *u = sums_gradient + atom * 4 * n_features;
        const Real *y = net.output().y.data() + slot * width, *y1 = net.output().y1.data() + slot * width;
        Real *p = net.bar.data() + slot * width, *q = net.bar1.data() + slot * width;
        const Real direction = s_direction[e];
        Real row[4];
        for (int c = 0; c < 4; ++c) row[c] = direction * pairs.rows[4 * e + c];
        combine_rows(rows_direction + 4 * e, u, n_features, p);
        combine_rows(row, u, n_features, q);
        if (out.sums) {
          Real *sums = out.sums + atom * 4 * n_features;
          add_outer(rows_direction + 4 * e, y, n_features, sums);
          add_outer(row, y1, n_features, sums);
        }
        if (out.rows) project(u, y1, n_features, direction, out.rows + 4 * e);
        if (out.s) out.s[e] = dot(p, y1, n_features) + dot(q, net.output().y2.data() + slot * width, n_features);
      },
      [&](std::int64_t e0, std::int64_t n) {
        if (out.parameters) net.template reverse<Activation, 1>(pairs.s + e0, n, gradient);
      });
  if (out.parameters) add_unpacked(gradient, out.parameters);
}

}  // namespace

template <typename Real>
void embedding_contract(const EmbeddingNet<Real> &net, const EmbeddingPairs<Real> &pairs, Real *sums,
                        std::int64_t first, std::int64_t last) {
  if (net.activation == ActivationKind::tanh)
    contract<Tanh>(net, pairs, sums, first, last);
  else
    contract<Sigmoid>(net, pairs, sums, first, last);
}

template <typename Real>
void embedding_backward(const EmbeddingNet<Real> &net, const EmbeddingPairs<Real> &pairs, const Real *sums_gradient,
                        const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last) {
  if (net.activation == ActivationKind::tanh)
    backward<Tanh>(net, pairs, sums_gradient, out, first, last);
  else
    backward<Sigmoid>(net, pairs, sums_gradient, out, first, last);
}

template <typename Real>
void embedding_double_backward(const EmbeddingNet<Real> &net, const EmbeddingPairs<Real> &pairs,
                               const Real *sums_gradient, const Real *s_direction, const Real *rows_direction,
                               const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last) {
  if (net.activation == ActivationKind::tanh)
    double_backward<Tanh>(net, pairs, sums_gradient, s_direction, rows_direction, out, first, last);
  else
    double_backward<Sigmoid>(net, pairs, sums_gradient, s_direction, rows_direction, out, first, last);
}

#define PWMLFF_INSTANTIATE(Real)                                                                                 \
  template void embedding_contract<Real>(const EmbeddingNet<Real> &, const EmbeddingPairs<Real> &, Real *,       \
                                         std::int64_t, std::int64_t);                                            \
  template void embedding_backward<Real>(const EmbeddingNet<Real> &, const EmbeddingPairs<Real> &, const Real *, \
                                         const EmbeddingGradients<Real> &, std::int64_t, std::int64_t);          \
  template void embedding_double_backward<Real>(const EmbeddingNet<Real> &, const EmbeddingPairs<Real> &,        \
                                                const Real *, const Real *, const Real *,                        \
                                                const EmbeddingGradients<Real> &, std::int64_t, std::int64_t);

PWMLFF_INSTANTIATE(double)
PWMLFF_INSTANTIATE(float)

}  // namespace pwmlff::PWMLFF_ISA
