// A stored NEP with its arrays on the device, in the form in which the kernels use them.
#pragma once

#include <ATen/ATen.h>

#include "cuda/nep/device.hpp"
#include "nep/description.hpp"

namespace pwmlff::cuda {

class NepWeights {
 public:
  // The description points to arrays of others, which are copied.
  NepWeights(const nep::Description &description, at::Device device);

  at::ScalarType dtype() const { return net_by_input_.scalar_type(); }
  bool has_double_geometry() const { return has_double_geometry_; }
  std::int64_t n_weights() const;
  const at::Tensor &scaler() const { return scaler_; }  // [D]

  NepWeights in_float64() const;

  // Points into the arrays, which are of type Real.
  template <typename Real>
  DeviceNep<Real> view() const;

 private:
  DeviceNep<double> sizes_;  // what it points to is not set
  bool has_double_geometry_;
  at::Tensor cutoffs_;                       // float64, the others are of one type
  at::Tensor radial_, angular_;              // see NepFunctions
  at::Tensor net_by_input_, net_by_neuron_;  // see DeviceNep, like all below
  at::Tensor b0_, w1_, b1_, norms_, scaler_;
};

}  // namespace pwmlff::cuda
