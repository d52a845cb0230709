#include "cuda/nep/weights.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "torch/stored_tensors.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;

// [T, T, 4], the numbers of NepCutoff.
Tensor cutoffs_of(const Array &cutoff) {
  static_assert(sizeof(NepCutoff) == 4 * sizeof(double));
  const Tensor of_type = tensor_of(cutoff);
  const Tensor radii = 0.5 * (of_type.unsqueeze(1) + of_type.unsqueeze(0));  // [T, T, 2]
  const Tensor radial = radii.select(2, 0), angular = radii.select(2, 1);
  return at::stack({radial.reciprocal(), angular.reciprocal(), radii.amax(2).square(), angular.square()}, 2);
}

// From c_nk [T, T, n, n_basis]; see NepFunctions.
Tensor functions_of(const Array &coefficients) {
  const Tensor c = tensor_of(coefficients).to(at::kDouble), half = 0.5 * c;
  const Tensor constant = (half.sum(3) + half.select(3, 0)).unsqueeze(3);
  const Tensor all = at::cat({constant, half.slice(3, 1)}, 3).transpose(2, 3);
  const std::int64_t n = c.size(2), padding = (kFew - n % kFew) % kFew;
  return at::constant_pad_nd(all, {0, padding});
}

Tensor norms() {
  std::vector<double> by_place;
  for (int l = 1; l <= kLargestL; ++l)
    for (int i = 0; i <= 2 * l; ++i) by_place.push_back(kNorm.of[l][(i + 1) / 2]);
  return at::tensor(by_place, at::kDouble);
}

template <typename Real>
NepFunctions<Real> functions_at(const Tensor &coefficients, const NepFunctions<double> &sizes) {
  return {coefficients.const_data_ptr<Real>(), sizes.n_functions, sizes.n_basis};
}

}  // namespace

NepWeights::NepWeights(const nep::Description &d, at::Device device) : has_double_geometry_(d.has_double_geometry) {
  if (d.has_tables)
    throw std::runtime_error("a compressed NEP has no kernels for GPUs; use the model it was compressed from");
  sizes_ = {};
  sizes_.radial = {nullptr, static_cast<int>(d.radial.shape[2]), static_cast<int>(d.radial.shape[3])};
  sizes_.angular = {nullptr, static_cast<int>(d.angular.shape[2]), static_cast<int>(d.angular.shape[3])};
  sizes_.n_types = static_cast<int>(d.n_types);
  sizes_.n_descriptors = static_cast<int>(d.n_descriptors);
  sizes_.n_neurons = static_cast<int>(d.n_neurons);
  sizes_.l_max = d.l_max;
  std::copy(d.extras.begin(), d.extras.end(), sizes_.extras);
  sizes_.has_extras = std::find(d.extras.begin(), d.extras.end(), true) != d.extras.end();

  const Tensor scaler = tensor_of(d.scaler), net = tensor_of(d.net);
  const auto real = net.scalar_type();
  const auto place = [&](const Tensor &tensor) { return tensor.to(real).contiguous().to(device); };
  const std::int64_t n_hidden = d.n_neurons * d.n_descriptors;
  const Tensor w0 = net.slice(1, 0, n_hidden).view({d.n_types, d.n_neurons, d.n_descriptors}) * scaler;
  cutoffs_ = cutoffs_of(d.cutoff).contiguous().to(device);
  radial_ = place(functions_of(d.radial));
  angular_ = place(functions_of(d.angular));
  net_by_input_ = place(w0.transpose(1, 2));
  net_by_neuron_ = place(w0);
  b0_ = place(net.narrow(1, n_hidden, d.n_neurons));
  w1_ = place(net.narrow(1, n_hidden + d.n_neurons, d.n_neurons));
  b1_ = place(net.slice(1, -1));
  norms_ = place(norms());
  scaler_ = place(scaler);
}

std::int64_t NepWeights::n_weights() const {
  const auto size = [](const NepFunctions<double> &functions) { return functions.n_functions * functions.n_basis; };
  const std::int64_t n_types = sizes_.n_types, of_net = sizes_.n_neurons * (sizes_.n_descriptors + 2) + 1;
  return n_types * n_types * (size(sizes_.radial) + size(sizes_.angular)) + n_types * of_net;
}

NepWeights NepWeights::in_float64() const {
  NepWeights result = *this;
  for (Tensor *tensor : {&result.radial_, &result.angular_, &result.net_by_input_, &result.net_by_neuron_, &result.b0_,
                         &result.w1_, &result.b1_, &result.norms_, &result.scaler_})
    *tensor = tensor->to(at::kDouble);
  return result;
}

template <typename Real>
DeviceNep<Real> NepWeights::view() const {
  DeviceNep<Real> model = {};
  model.cutoffs = reinterpret_cast<const NepCutoff *>(cutoffs_.const_data_ptr<double>());
  model.radial = functions_at<Real>(radial_, sizes_.radial);
  model.angular = functions_at<Real>(angular_, sizes_.angular);
  model.by_input = net_by_input_.const_data_ptr<Real>();
  model.by_neuron = net_by_neuron_.const_data_ptr<Real>();
  model.b0 = b0_.const_data_ptr<Real>();
  model.w1 = w1_.const_data_ptr<Real>();
  model.b1 = b1_.const_data_ptr<Real>();
  model.norms = norms_.const_data_ptr<Real>();
  model.n_types = sizes_.n_types;
  model.n_descriptors = sizes_.n_descriptors;
  model.n_neurons = sizes_.n_neurons;
  model.l_max = sizes_.l_max;
  std::copy_n(sizes_.extras, nep::kExtras, model.extras);
  model.has_extras = sizes_.has_extras;
  return model;
}

template DeviceNep<double> NepWeights::view<double>() const;
template DeviceNep<float> NepWeights::view<float>() const;

}  // namespace pwmlff::cuda
