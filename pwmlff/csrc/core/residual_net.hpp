// The net of nets.hpp, evaluated and differentiated for a block of inputs that stays in the cache.
//
// Derivatives along one direction per input are carried forward beside the values; gradients of values and of these
// derivatives, by parameters and inputs, are collected backward in one pass.
//
// Included only by files compiled once per instruction set. Everything is local to the file that includes it, so that
// no code for one instruction set can be linked in the place of another's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "activation.hpp"
#include "net_layers.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// A net with room for a block of inputs. One lives in each thread and is prepared anew for each call.
template <typename Real>
class Net {
 public:
  // For blocks of up to `block` inputs and derivatives up to `order` (0, 1 or 2).
  void prepare(const NetView<Real> &net, std::int64_t block, int order) {
    pack(net, own_layers_);
    prepare(own_layers_, block, order);
  }

  // The same with layers packed before, which must outlive the use of this net.
  void prepare(const std::vector<Layer<Real>> &packed, std::int64_t block, int order) {
    layers_ = &packed;
    const std::vector<Layer<Real>> &layers = packed;
    states.resize(layers.size());
    std::int64_t widest = layers.front().width_in;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const std::int64_t size = block * layers[l].width;
      for (Buffer<Real> *buffer : {&states[l].a, &states[l].y}) provide(*buffer, size);
      if (order >= 1)
        for (Buffer<Real> *buffer : {&states[l].z1, &states[l].y1}) provide(*buffer, size);
      if (order >= 2)
        for (Buffer<Real> *buffer : {&states[l].z2, &states[l].y2}) provide(*buffer, size);
      widest = std::max(widest, layers[l].width);
    }
    for (Buffer<Real> *buffer : {&bar, &bar_in}) provide(*buffer, block * widest);
    if (order >= 1)
      for (Buffer<Real> *buffer : {&bar1, &bar1_in}) provide(*buffer, block * widest);
  }

  // Evaluates the net at x [n, n_in] and its first `Order` derivatives along x1 [n, n_in]; x1 is constant along itself.
  template <typename Activation, int Order>
  void forward(const Real *x, const Real *x1, std::int64_t n) {
    const std::vector<Layer<Real>> &layers = *layers_;
    input_ = padded_rows(x, n, x_padded_);
    if (Order >= 1) input1_ = padded_rows(x1, n, x1_padded_);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Layer<Real> &layer = layers[l];
      LayerState<Real> &state = states[l];
      const auto product = [&](const Real *in, Buffer<Real> &z) {
        multiply<Real>(n, layer.width, layer.n_in, in, layer.width_in, 1, layer.weight.data(), layer.width, z.data(),
                       layer.width, false);
      };
      product(l == 0 ? input_ : states[l - 1].y.data(), state.a);
      if (Order >= 1) product(l == 0 ? input1_ : states[l - 1].y1.data(), state.z1);
      if (Order >= 2) {
        if (l == 0)
          std::fill(state.z2.begin(), state.z2.end(), Real(0));
        else
          product(states[l - 1].y2.data(), state.z2);
      }
      activate<Activation, Order>(layer, state, n);
      if (layer.copies > 0) {
        const LayerState<Real> &input = states[l - 1];
        add_links(layer, input.y, state.y, n);
        if (Order >= 1) add_links(layer, input.y1, state.y1, n);
        if (Order >= 2) add_links(layer, input.y2, state.y2, n);
      }
    }
  }

  // Gradients of sum(bar * y + bar1 * y') at the inputs of the last `forward`, where bar and bar1 [n, width] hold the
  // factors of the last layer's outputs and are overwritten; Order 0 leaves bar1 out. Those by parameters go to
  // `gradient`, those by x are written to x_gradient [n, n_in] unless it is null.
  template <typename Activation, int Order>
  void reverse(std::int64_t n, NetGradient<Real> &gradient, Real *x_gradient) {
    const std::vector<Layer<Real>> &layers = *layers_;
    const bool wants_parameters = !gradient.layers.empty();
    for (std::size_t l = layers.size(); l-- > 0;) {
      const Layer<Real> &layer = layers[l];
      const std::int64_t width = layer.width, width_in = layer.width_in;
      if (layer.copies > 0) {
        gather_links(layer, bar, bar_in, n);
        if (Order >= 1) gather_links(layer, bar1, bar1_in, n);
      }
      differentiate<Activation, Order>(layer, states[l], n);
      if (wants_parameters) {
        const auto collect = [&](const Real *in, const Buffer<Real> &factors) {
          multiply<Real>(layer.n_out, width_in, n, factors.data(), 1, width, in, width_in, gradient.layers[l].weight,
                         width_in, true);
        };
        collect(l == 0 ? input_ : states[l - 1].y.data(), bar);
        if (Order >= 1) collect(l == 0 ? input1_ : states[l - 1].y1.data(), bar1);
        collect_bias_and_scale(n, width, gradient.layers[l]);
      }
      if (l == 0 && !x_gradient) return;
      const auto propagate = [&](Buffer<Real> &factors, Buffer<Real> &out) {
        multiply<Real>(n, width_in, layer.n_out, factors.data(), width, 1, layer.weight_back, width_in, out.data(),
                       width_in, layer.copies > 0);
        std::swap(factors, out);
      };
      propagate(bar, bar_in);
      if (Order >= 1 && l > 0) propagate(bar1, bar1_in);
    }
    const std::int64_t n_in = layers[0].n_in, width_in = layers[0].width_in;
    for (std::int64_t e = 0; e < n; ++e)
      std::copy(bar.data() + e * width_in, bar.data() + e * width_in + n_in, x_gradient + e * n_in);
  }

  std::vector<LayerState<Real>> states;
  Buffer<Real> bar, bar1;  // factors of the outputs while going backward, [block, widest]

  const std::vector<Layer<Real>> &layers() const { return *layers_; }
  const LayerState<Real> &output() const { return states.back(); }
  std::int64_t width() const { return layers_->back().width; }
  std::int64_t n_features() const { return layers_->back().n_out; }

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

  // Turns the factors of a layer's outputs into those of its z and z', and leaves what the scale sees in scale_terms.
  template <typename Activation, int Order>
  void differentiate(const Layer<Real> &layer, const LayerState<Real> &state, std::int64_t n) {
    const std::int64_t width = layer.width;
    scale_terms.assign(width, Real(0));
    const Real *__restrict scale = layer.scale.data();
    Real *__restrict scale_sum = scale_terms.data();
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
        scale_sum[j] += scale_term;
      }
    }
  }

  void collect_bias_and_scale(std::int64_t n, std::int64_t width, LayerGradient<Real> &gradient) const {
    Real *__restrict bias = gradient.bias(), *__restrict scale = gradient.scale();
    for (std::int64_t e = 0; e < n; ++e) {
      const Real *__restrict factor = bar.data() + e * width;
      for (std::int64_t j = 0; j < gradient.n_out; ++j) bias[j] += factor[j];
    }
    for (std::int64_t j = 0; j < gradient.n_out; ++j) scale[j] += scale_terms[j];
  }

  // The inputs with rows padded to whole vectors; the inputs themselves where they are.
  const Real *padded_rows(const Real *x, std::int64_t n, Buffer<Real> &copy) const {
    const std::int64_t n_in = layers_->front().n_in, width_in = layers_->front().width_in;
    if (width_in == n_in) return x;
    copy.assign(n * width_in, Real(0));
    for (std::int64_t e = 0; e < n; ++e) std::copy(x + e * n_in, x + (e + 1) * n_in, copy.data() + e * width_in);
    return copy.data();
  }

  static void add_links(const Layer<Real> &layer, const Buffer<Real> &x, Buffer<Real> &y, std::int64_t n) {
    for (std::int64_t e = 0; e < n; ++e)
      for (int copy = 0; copy < layer.copies; ++copy) {
        const Real *__restrict from = x.data() + e * layer.width_in;
        Real *__restrict to = y.data() + e * layer.width + copy * layer.n_in;
        for (std::int64_t k = 0; k < layer.n_in; ++k) to[k] += from[k];
      }
  }

  static void gather_links(const Layer<Real> &layer, const Buffer<Real> &factors, Buffer<Real> &out, std::int64_t n) {
    for (std::int64_t e = 0; e < n; ++e) {
      Real *__restrict to = out.data() + e * layer.width_in;
      std::fill(to, to + layer.width_in, Real(0));
      for (int copy = 0; copy < layer.copies; ++copy) {
        const Real *__restrict from = factors.data() + e * layer.width + copy * layer.n_in;
        for (std::int64_t k = 0; k < layer.n_in; ++k) to[k] += from[k];
      }
    }
  }

  const std::vector<Layer<Real>> *layers_ = nullptr;
  std::vector<Layer<Real>> own_layers_;
  Buffer<Real> bar_in, bar1_in, scale_terms, x_padded_, x1_padded_;
  const Real *input_ = nullptr, *input1_ = nullptr;  // of the last forward, rows padded
};

// The net and the gradients of this thread.
template <typename Real>
Net<Real> &net_of_thread() {
  static thread_local Net<Real> net;
  return net;
}

template <typename Real>
NetGradient<Real> &gradient_of_thread() {
  static thread_local NetGradient<Real> gradient;
  return gradient;
}

template <typename Real>
inline Real dot(const Real *__restrict x, const Real *__restrict y, std::int64_t n) {
  Real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t m = 0; m < n; ++m) sum += x[m] * y[m];
  return sum;
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
