// A residual net of one scalar, evaluated and differentiated for a block of inputs that stays in the cache.
//
// Layer 1: y = t * phi(w s + b); layer l: y = t * phi(W x + b) + x (equal widths), or + (x, x) (doubled width), or
// nothing. Derivatives by s are carried forward beside the values; parameter gradients of values and first derivatives
// are collected backward in one pass.
//
// Included only by files compiled once per instruction set. Everything is local to the file that includes it, so that
// no code for one instruction set can be linked in the place of another's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "activation.hpp"
#include "embedding.hpp"
#include "gemm.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

constexpr std::int64_t kBlock = 32;  // inputs worked on at once: their activations stay in the second-level cache

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

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
