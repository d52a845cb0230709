// The layers of a net laid out for the products, and room for the gradients of their parameters.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "gemm.hpp"
#include "nets.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// One layer with its weights laid out for the products; rows are padded to whole vectors with zeros.
template <typename Real>
struct Layer {
  std::int64_t n_in, n_out, width, width_in;  // widths: n_out and n_in padded
  ActivationKind activation;
  int copies;                // how many times the input is added to the output
  Buffer<Real> weight;       // [n_in, width], W^T
  Buffer<Real> weight_back;  // [n_out, width_in], W
  Buffer<Real> bias, scale;  // [width]
};

// out [columns, rows] = in [rows, columns]^T, both with rows of their own length, in tiles that stay in the cache.
template <typename Real>
void transpose(const Real *in, std::int64_t rows, std::int64_t columns, Real *out, std::int64_t out_row) {
  constexpr std::int64_t tile = 16;
  for (std::int64_t i0 = 0; i0 < rows; i0 += tile)
    for (std::int64_t j0 = 0; j0 < columns; j0 += tile)
      for (std::int64_t i = i0; i < std::min(rows, i0 + tile); ++i)
        for (std::int64_t j = j0; j < std::min(columns, j0 + tile); ++j) out[j * out_row + i] = in[i * columns + j];
}

// Lays the parameters out anew, in the memory of the last time.
template <typename Real>
void pack(const NetView<Real> &net, std::vector<Layer<Real>> &layers) {
  layers.resize(net.widths.size());
  const Real *next = net.parameters;
  std::int64_t n_in = net.n_in;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    Layer<Real> &layer = layers[l];
    const std::int64_t n_out = net.widths[l];
    layer.n_in = n_in;
    layer.n_out = n_out;
    layer.width = padded<Real>(n_out);
    layer.width_in = padded<Real>(n_in);
    layer.activation = net.activations[l];
    layer.copies = l == 0 || !net.is_residual ? 0 : n_out == n_in ? 1 : n_out == 2 * n_in ? 2 : 0;
    layer.weight.resize(n_in * layer.width);
    if (layer.width != n_out) std::fill(layer.weight.begin(), layer.weight.end(), Real(0));
    transpose(next, n_out, n_in, layer.weight.data(), layer.width);
    layer.weight_back.assign(n_out * layer.width_in, Real(0));
    for (std::int64_t j = 0; j < n_out; ++j)
      std::copy(next + j * n_in, next + (j + 1) * n_in, layer.weight_back.data() + j * layer.width_in);
    next += n_out * n_in;
    layer.bias.assign(layer.width, Real(0));
    std::copy(next, next + n_out, layer.bias.begin());
    next += n_out;
    layer.scale.assign(layer.width, Real(0));
    std::copy(next, next + n_out, layer.scale.begin());
    next += n_out;
    n_in = n_out;
  }
}

// y += the layer's input x, as often as it is linked.
template <typename Real>
void add_links(const Layer<Real> &layer, const Buffer<Real> &x, Buffer<Real> &y, std::int64_t n) {
  for (std::int64_t e = 0; e < n; ++e)
    for (int copy = 0; copy < layer.copies; ++copy) {
      const Real *__restrict from = x.data() + e * layer.width_in;
      Real *__restrict to = y.data() + e * layer.width + copy * layer.n_in;
      for (std::int64_t k = 0; k < layer.n_in; ++k) to[k] += from[k];
    }
}

// The transpose: out = what x gets of the factors of y.
template <typename Real>
void gather_links(const Layer<Real> &layer, const Buffer<Real> &factors, Buffer<Real> &out, std::int64_t n) {
  for (std::int64_t e = 0; e < n; ++e) {
    Real *__restrict to = out.data() + e * layer.width_in;
    std::fill(to, to + layer.width_in, Real(0));
    for (int copy = 0; copy < layer.copies; ++copy) {
      const Real *__restrict from = factors.data() + e * layer.width + copy * layer.n_in;
      for (std::int64_t k = 0; k < layer.n_in; ++k) to[k] += from[k];
    }
  }
}

// What a block's passes leave for the next: per layer a, the number of activation.hpp that tells phi(z) and its
// derivatives, the derivative z' of z along the direction, and the outputs y and y'.
template <typename Real>
struct LayerState {
  Buffer<Real> a, z1, y, y1;
};

// Where the gradients of one layer's parameters are summed: weight [n_out, width_in] in the result itself where no
// padding is needed, otherwise in a copy that is added to it at the end. That of a single input is [width].
template <typename Real>
struct LayerGradient {
  std::int64_t n_in, n_out, width_in;
  Real *result;  // weight [n_out, n_in], bias [n_out], scale [n_out]
  Real *weight;
  Buffer<Real> padded_weight;

  Real *bias() const { return result + n_out * n_in; }
  Real *scale() const { return bias() + n_out; }
};

// weight += by_z^T x, for x [n, width_in] and by_z [n, width]
template <typename Real>
void collect_weight(const Layer<Real> &layer, const Real *x, const Buffer<Real> &by_z, LayerGradient<Real> &sums,
                    std::int64_t n) {
  if (layer.n_in == 1)  // the same as a row
    multiply<Real>(1, layer.width, n, x, 1, layer.width_in, by_z.data(), layer.width, sums.weight, layer.width, true);
  else
    multiply<Real>(layer.n_out, layer.width_in, n, by_z.data(), 1, layer.width, x, layer.width_in, sums.weight,
                   layer.width_in, true);
}

// Parameter gradients in the order of NetView.
template <typename Real>
class NetGradient {
 public:
  // Gradients will be added to `result`.
  void prepare(const std::vector<Layer<Real>> &net, Real *result) {
    layers.resize(net.size());
    for (std::size_t l = 0; l < layers.size(); ++l) {
      LayerGradient<Real> &layer = layers[l];
      layer.n_in = net[l].n_in;
      layer.n_out = net[l].n_out;
      layer.width_in = net[l].n_in == 1 ? 1 : net[l].width_in;
      layer.result = layer.weight = result;
      if (net[l].width_in != layer.n_in) {
        layer.padded_weight.assign(net[l].width * layer.width_in, Real(0));
        layer.weight = layer.padded_weight.data();
      }
      result += layer.n_out * (layer.n_in + 2);
    }
  }

  // Completes the result.
  void finish() {
    for (LayerGradient<Real> &layer : layers) {
      if (layer.weight == layer.result) continue;
      for (std::int64_t j = 0; j < layer.n_out; ++j)
        for (std::int64_t k = 0; k < layer.n_in; ++k)
          layer.result[j * layer.n_in + k] += layer.weight[j * layer.width_in + k];
    }
  }

  std::vector<LayerGradient<Real>> layers;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
