// The net of nets.hpp, evaluated for a block of inputs that stays in the cache. Derivatives along one direction per
// input are carried forward beside the values; reverse_sweeps.hpp goes back.
//
// Included only by files compiled once per instruction set. Everything is local to the file that includes it, so that
// no code for one instruction set can be linked in the place of another's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "activation.hpp"
#include "net_layers.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Room for a block of inputs on its way through a net. One lives in each thread and is prepared anew for each call.
template <typename Real>
class Net {
 public:
  // For blocks of up to `block` inputs and derivatives up to `order` (0 or 1) of a net whose layers outlive its use.
  void prepare(const std::vector<Layer<Real>> &layers, std::int64_t block, int order) {
    layers_ = &layers;
    states.resize(layers.size());
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const std::int64_t size = block * layers[l].width;
      for (Buffer<Real> *buffer : {&states[l].a, &states[l].y}) provide(*buffer, size);
      if (order >= 1)
        for (Buffer<Real> *buffer : {&states[l].z1, &states[l].y1}) provide(*buffer, size);
    }
  }

  // Evaluates the net at x [n, n_in], and with Order 1 its derivatives along x1 [n, n_in].
  template <int Order>
  void forward(const Real *x, const Real *x1, std::int64_t n) {
    input_ = padded_rows(x, n, x_padded_);
    if (Order >= 1) input1_ = padded_rows(x1, n, x1_padded_);
    for (std::size_t l = 0; l < layers_->size(); ++l) {
      const Layer<Real> &layer = (*layers_)[l];
      LayerState<Real> &state = states[l];
      multiply_by_weight(layer, input(l), state.a, n);
      if (Order >= 1) multiply_by_weight(layer, input1(l), state.z1, n);
      with_activation(layer.activation, [&](auto kind) { activate<decltype(kind), Order>(layer, state, n); });
      if (layer.copies > 0) {
        add_links(layer, states[l - 1].y, state.y, n);
        if (Order >= 1) add_links(layer, states[l - 1].y1, state.y1, n);
      }
    }
  }

  // The derivatives along x1 [n, n_in] of the values of the last `forward`.
  void forward_tangents(const Real *x1, std::int64_t n) {
    input1_ = padded_rows(x1, n, x1_padded_);
    for (std::size_t l = 0; l < layers_->size(); ++l) {
      const Layer<Real> &layer = (*layers_)[l];
      LayerState<Real> &state = states[l];
      multiply_by_weight(layer, input1(l), state.z1, n);
      with_activation(layer.activation, [&](auto kind) { activate_tangents<decltype(kind)>(layer, state, n); });
      if (layer.copies > 0) add_links(layer, states[l - 1].y1, state.y1, n);
    }
  }

  std::vector<LayerState<Real>> states;

  const std::vector<Layer<Real>> &layers() const { return *layers_; }
  const LayerState<Real> &output() const { return states.back(); }
  std::int64_t width() const { return layers_->back().width; }
  std::int64_t n_features() const { return layers_->back().n_out; }
  // What layer l was given, and the derivative of that; rows padded.
  const Real *input(std::size_t l) const { return l == 0 ? input_ : states[l - 1].y.data(); }
  const Real *input1(std::size_t l) const { return l == 0 ? input1_ : states[l - 1].y1.data(); }

 private:
  static void multiply_by_weight(const Layer<Real> &layer, const Real *in, Buffer<Real> &z, std::int64_t n) {
    multiply<Real>(n, layer.width, layer.n_in, in, layer.width_in, 1, layer.weight.data(), layer.width, z.data(),
                   layer.width, false);
  }

  // One vector of columns after another, which keeps bias and scale in registers.
  template <typename Activation, int Order>
  static void activate(const Layer<Real> &layer, LayerState<Real> &state, std::int64_t n) {
    for (std::int64_t column = 0; column < layer.width; column += kLanes<Real>) {
      const Real *__restrict bias = layer.bias.data() + column, *__restrict scale = layer.scale.data() + column;
      for (std::int64_t place = column; place < n * layer.width; place += layer.width) {
        Real *__restrict a = state.a.data() + place, *__restrict y = state.y.data() + place;
        const Real *__restrict z1 = state.z1.data() + place;
        Real *__restrict y1 = state.y1.data() + place;
#pragma omp simd
        for (std::int64_t j = 0; j < kLanes<Real>; ++j) {
          const Real kept = Activation::keep(a[j] + bias[j]);
          a[j] = kept;
          y[j] = scale[j] * Activation::value(kept);
          if (Order >= 1) y1[j] = scale[j] * Activation::first(kept) * z1[j];
        }
      }
    }
  }

  template <typename Activation>
  static void activate_tangents(const Layer<Real> &layer, LayerState<Real> &state, std::int64_t n) {
    for (std::int64_t column = 0; column < layer.width; column += kLanes<Real>) {
      const Real *__restrict scale = layer.scale.data() + column;
      for (std::int64_t place = column; place < n * layer.width; place += layer.width) {
        const Real *__restrict a = state.a.data() + place, *__restrict z1 = state.z1.data() + place;
        Real *__restrict y1 = state.y1.data() + place;
#pragma omp simd
        for (std::int64_t j = 0; j < kLanes<Real>; ++j) y1[j] = scale[j] * Activation::first(a[j]) * z1[j];
      }
    }
  }

  // The inputs with rows padded to whole vectors; the inputs themselves where they are.
  const Real *padded_rows(const Real *x, std::int64_t n, Buffer<Real> &copy) const {
    const std::int64_t n_in = layers_->front().n_in, width_in = layers_->front().width_in;
    if (width_in == n_in) return x;
    copy.assign(n * width_in, Real(0));
    for (std::int64_t e = 0; e < n; ++e) std::copy(x + e * n_in, x + (e + 1) * n_in, copy.data() + e * width_in);
    return copy.data();
  }

  const std::vector<Layer<Real>> *layers_ = nullptr;
  Buffer<Real> x_padded_, x1_padded_;
  const Real *input_ = nullptr, *input1_ = nullptr;  // of the last forward, rows padded
};

template <typename Real>
inline Real dot(const Real *__restrict x, const Real *__restrict y, std::int64_t n) {
  Real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t m = 0; m < n; ++m) sum += x[m] * y[m];
  return sum;
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
