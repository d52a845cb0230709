// Residual nets on a GPU: matrix products by ATen, what lies between them by net_device.hpp.
#pragma once

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "cuda/check.hpp"
#include "cuda/net_device.hpp"

namespace pwmlff::cuda {

template <typename Real>
class AtenNet {
 public:
  // Parameters as in nets.hpp, contiguous; more may follow.
  AtenNet(const at::Tensor &parameters, std::int64_t n_in, const std::vector<std::int64_t> &widths,
          ActivationKind activation, cudaStream_t stream)
      : stream_(stream) {
    std::int64_t offset = 0;
    for (const std::int64_t n_out : widths) {
      const at::Tensor weight = parameters.narrow(0, offset, n_out * n_in).view({n_out, n_in});
      offset += n_out * n_in;
      const Real *scale = parameters.const_data_ptr<Real>() + offset + n_out;
      const bool has_link = !layers_.empty() && (n_out == n_in || n_out == 2 * n_in);
      layers_.push_back({weight, parameters.narrow(0, offset, n_out), {scale, n_in, n_out, has_link, activation}});
      offset += 2 * n_out;
      n_in = n_out;
    }
  }

  // y [n, n_out] of x [n, n_in]; keeps what `reverse` needs.
  at::Tensor forward(at::Tensor x) {
    phis_.clear();
    for (const Layer &layer : layers_) {
      phis_.push_back(at::addmm(layer.bias, x, layer.weight.t()));
      x = activated(layer, x, phis_.back());
    }
    return x;
  }

  // y and dy/dx of a net of one input, x [n, 1].
  std::pair<at::Tensor, at::Tensor> forward_with_slopes(at::Tensor x) const {
    at::Tensor x1 = at::ones_like(x);
    for (const Layer &layer : layers_) {
      at::Tensor phi = at::addmm(layer.bias, x, layer.weight.t()), z1 = at::mm(x1, layer.weight.t());
      x = activated(layer, x, phi);
      check(activate_tangent<Real>(layer.device, x.size(0), phi.const_data_ptr<Real>(), x1.const_data_ptr<Real>(),
                                   z1.data_ptr<Real>(), stream_));
      x1 = z1;
    }
    return {x, x1};
  }

  // dE/dx of the last `forward` from dE/dy, contiguous.
  at::Tensor reverse(at::Tensor gradient) const {
    for (std::size_t depth = layers_.size(); depth-- > 0;) {
      const Layer &layer = layers_[depth];
      const std::int64_t n = gradient.size(0);
      at::Tensor z_gradient = at::empty_like(gradient),
                 x_gradient = at::empty({n, layer.device.n_in}, gradient.options());
      check(activate_reverse<Real>(layer.device, n, phis_[depth].template const_data_ptr<Real>(),
                                   gradient.const_data_ptr<Real>(), z_gradient.data_ptr<Real>(),
                                   x_gradient.data_ptr<Real>(), stream_));
      if (layer.device.has_link)
        x_gradient.addmm_(z_gradient, layer.weight);
      else
        at::mm_out(x_gradient, z_gradient, layer.weight);
      gradient = x_gradient;
    }
    return gradient;
  }

 private:
  struct Layer {
    at::Tensor weight, bias;
    DeviceLayer<Real> device;
  };

  // y; turns z into phi in place.
  at::Tensor activated(const Layer &layer, const at::Tensor &x, at::Tensor &z) const {
    at::Tensor y = at::empty_like(z);
    check(activate<Real>(layer.device, z.size(0), x.const_data_ptr<Real>(), z.data_ptr<Real>(), y.data_ptr<Real>(),
                         stream_));
    return y;
  }

  cudaStream_t stream_;
  std::vector<Layer> layers_;
  std::vector<at::Tensor> phis_;
};

}  // namespace pwmlff::cuda
