// Gradients by the weights of a residual net, of its values and of their derivatives along directions, in rows: one row
// per sum that is wanted.
//
// With the energy E that the values feed and its derivative E' along a direction, a = dE/dz and b = dE'/dz for each
// layer's z = W x + b. Since E' is linear in the tangents z', a is also dE'/dz': one sweep for all rows gives a, one
// for each direction b, and the weights gain
//
//   of a sum e E   (e a) x^T          of E'   b x^T + a x'^T
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real>
class ReverseSweeps {
 public:
  // For blocks of up to `block` inputs of a net.
  void prepare(const std::vector<Layer<Real>> &layers, std::int64_t block) {
    values_.resize(layers.size());
    std::int64_t widest = layers.front().width_in;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      provide(values_[l], block * layers[l].width);
      widest = std::max(widest, layers[l].width);
    }
    for (Buffer<Real> *buffer : {&by_y_, &by_x_, &by_z_, &by_z1_}) provide(*buffer, block * widest);
  }

  // To be filled before each sweep: the factors of the net's outputs [n, width], dE/dy and dE'/dy.
  Real *by_values() { return values_.back().data(); }
  Real *by_tangents() { return by_y_.data(); }

  // What a sum of energies weights each input of the block with, and where its gradient goes.
  struct Weighted {
    const Real *factors;  // [n]
    NetGradient<Real> *gradient;
  };

  // From the values of the last `forward`. Writes dE/dx [n, n_in] unless that is null.
  void sweep_values(const Net<Real> &net, std::int64_t n, const std::vector<Weighted> &sums, Real *by_inputs) {
    const std::vector<Layer<Real>> &layers = net.layers();
    for (std::size_t l = layers.size(); l-- > 0;) {
      const Layer<Real> &layer = layers[l];
      with_activation(layer.activation, [&](auto kind) {
        differentiate_values<decltype(kind)>(layer, net.states[l], values_[l].data(), n);
        for (const Weighted &sum : sums) collect_values<decltype(kind)>(net, l, sum, n);
      });
      if (l > 0)
        propagate(layer, values_[l], by_z_, values_[l - 1], n);
      else if (by_inputs)
        propagate_to_inputs(layer, by_z_, by_inputs, n);
    }
  }

  // From the derivatives of the last `forward` or `forward_tangents`, each times `lengths` [n] where that is not null;
  // after `sweep_values`. Writes dE'/dx [n, n_in] unless that is null.
  void sweep_tangents(const Net<Real> &net, std::int64_t n, const Real *lengths, NetGradient<Real> &gradient,
                      Real *by_inputs) {
    const std::vector<Layer<Real>> &layers = net.layers();
    for (std::size_t l = layers.size(); l-- > 0;) {
      const Layer<Real> &layer = layers[l];
      LayerGradient<Real> &sums = gradient.layers[l];
      with_activation(layer.activation, [&](auto kind) {
        differentiate_tangents<decltype(kind)>(layer, net.states[l], values_[l].data(), lengths, sums, n);
      });
      collect_weight(layer, net.input(l), by_z_, sums, n);
      collect_weight(layer, net.input1(l), by_z1_, sums, n);
      if (l > 0) {
        propagate(layer, by_y_, by_z_, by_x_, n);
        std::swap(by_y_, by_x_);
      } else if (by_inputs) {
        propagate_to_inputs(layer, by_z_, by_inputs, n);
      }
    }
  }

 private:
  // by_z = dE/dz from dE/dy
  template <typename Activation>
  void differentiate_values(const Layer<Real> &layer, const LayerState<Real> &state, const Real *by_value,
                            std::int64_t n) {
    const std::int64_t width = layer.width;
    for (std::int64_t column = 0; column < width; column += kLanes<Real>) {
      const Real *__restrict scale = layer.scale.data() + column;
      for (std::int64_t place = column; place < n * width; place += width) {
        const Real *__restrict a = state.a.data() + place, *__restrict value = by_value + place;
        Real *__restrict z = by_z_.data() + place;
#pragma omp simd
        for (std::int64_t j = 0; j < kLanes<Real>; ++j) z[j] = value[j] * scale[j] * Activation::first(a[j]);
      }
    }
  }

  // by_z = dE'/dz and by_z1 = dE'/dz' from dE'/dy and dE/dy, and what bias and scale gain
  template <typename Activation>
  void differentiate_tangents(const Layer<Real> &layer, const LayerState<Real> &state, const Real *by_value,
                              const Real *lengths, LayerGradient<Real> &sums, std::int64_t n) {
    const std::int64_t width = layer.width;
    for (std::int64_t column = 0; column < width; column += kLanes<Real>) {
      const Real *__restrict scale = layer.scale.data() + column;
      Real bias_sum[kLanes<Real>] = {}, scale_sum[kLanes<Real>] = {};
      for (std::int64_t e = 0; e < n; ++e) {
        const std::int64_t place = e * width + column;
        const Real length = lengths ? lengths[e] : Real(1);
        const Real *__restrict a = state.a.data() + place, *__restrict z1 = state.z1.data() + place,
                               *__restrict value = by_value + place, *__restrict tangent = by_y_.data() + place;
        Real *__restrict to_z = by_z_.data() + place, *__restrict to_z1 = by_z1_.data() + place;
#pragma omp simd
        for (std::int64_t j = 0; j < kLanes<Real>; ++j) {
          const Real first = Activation::first(a[j]), along = length * z1[j], scaled = value[j] * scale[j];
          const Real by_z = tangent[j] * scale[j] * first + scaled * Activation::second(a[j], first) * along;
          to_z[j] = by_z;
          to_z1[j] = scaled * first * length;
          bias_sum[j] += by_z;
          scale_sum[j] += tangent[j] * Activation::value(a[j]) + value[j] * first * along;
        }
      }
      add_bias_and_scale(bias_sum, scale_sum, column, sums);
    }
  }

  // One sum of energies: its share of the weights, bias and scale
  template <typename Activation>
  void collect_values(const Net<Real> &net, std::size_t l, const Weighted &sum, std::int64_t n) {
    const Layer<Real> &layer = net.layers()[l];
    const std::int64_t width = layer.width;
    LayerGradient<Real> &sums = sum.gradient->layers[l];
    for (std::int64_t column = 0; column < width; column += kLanes<Real>) {
      Real bias_sum[kLanes<Real>] = {}, scale_sum[kLanes<Real>] = {};
      for (std::int64_t e = 0; e < n; ++e) {
        const std::int64_t place = e * width + column;
        const Real factor = sum.factors[e];
        const Real *__restrict a = net.states[l].a.data() + place, *__restrict value = values_[l].data() + place,
                               *__restrict from = by_z_.data() + place;
        Real *__restrict to = by_z1_.data() + place;
#pragma omp simd
        for (std::int64_t j = 0; j < kLanes<Real>; ++j) {
          to[j] = factor * from[j];
          bias_sum[j] += to[j];
          scale_sum[j] += factor * value[j] * Activation::value(a[j]);
        }
      }
      add_bias_and_scale(bias_sum, scale_sum, column, sums);
    }
    collect_weight(layer, net.input(l), by_z1_, sums, n);
  }

  // Those of one vector of columns.
  static void add_bias_and_scale(const Real *bias_sum, const Real *scale_sum, std::int64_t column,
                                 LayerGradient<Real> &sums) {
    Real *__restrict bias = sums.bias() + column, *__restrict scale = sums.scale() + column;
    const std::int64_t n = std::min(kLanes<Real>, sums.n_out - column);
    for (std::int64_t j = 0; j < n; ++j) {
      bias[j] += bias_sum[j];
      scale[j] += scale_sum[j];
    }
  }

  // by_x = by_z W, and by_y itself where the input was added to the output
  static void propagate(const Layer<Real> &layer, const Buffer<Real> &by_y, const Buffer<Real> &by_z,
                        Buffer<Real> &by_x, std::int64_t n) {
    if (layer.copies > 0) gather_links(layer, by_y, by_x, n);
    multiply<Real>(n, layer.width_in, layer.n_out, by_z.data(), layer.width, 1, layer.weight_back.data(),
                   layer.width_in, by_x.data(), layer.width_in, layer.copies > 0);
  }

  void propagate_to_inputs(const Layer<Real> &layer, const Buffer<Real> &by_z, Real *by_inputs, std::int64_t n) {
    propagate(layer, by_z, by_z, by_x_, n);  // a first layer has no links
    for (std::int64_t e = 0; e < n; ++e) {
      const Real *from = by_x_.data() + e * layer.width_in;
      std::copy(from, from + layer.n_in, by_inputs + e * layer.n_in);
    }
  }

  std::vector<Buffer<Real>> values_;         // dE/dy of each layer, [block, width]
  Buffer<Real> by_y_, by_x_, by_z_, by_z1_;  // [block, widest]
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
