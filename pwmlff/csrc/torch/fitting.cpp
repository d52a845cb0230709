// torch.ops.pwmlff.fitting_net, twice differentiable.
#include "fitting.hpp"

#include <torch/library.h>

#include "torch/differentiable.hpp"
#include "torch/net_options.hpp"
#include "torch/tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;
using at::TensorList;

constexpr std::int64_t kAtomsPerTask = 16;  // fewer are not worth a thread

// Tensors inputs [n, D], parameters [P].
struct FittingOp {
  static constexpr const char *kName = "fitting_net";
  static constexpr std::size_t kOutputs = 1, kGeometry = 1, kWeights = 1;

  using Options = NetOptions;

  static void check(TensorList tensors, const Options &options) {
    options.check(kName);
    const Tensor &inputs = tensors[0], &parameters = tensors[1];
    const std::vector<std::int64_t> &widths = options.widths;
    TORCH_CHECK(inputs.dim() == 2, "fitting_net expects inputs [n, D], got ", inputs.sizes());
    TORCH_CHECK(parameters.dim() == 1, "fitting_net expects a vector of parameters, got ", parameters.sizes());
    const std::int64_t expected = net_parameter_count(inputs.size(1), widths) + widths.back() + 1;
    TORCH_CHECK(parameters.size(0) == expected, "fitting_net expects ", expected, " parameters, got ",
                parameters.sizes());
    TORCH_CHECK(inputs.scalar_type() == parameters.scalar_type(),
                "fitting_net: inputs and parameters must have one dtype");
  }

  static variable_list forward(TensorList tensors, const Options &options) {
    const Tensor energies = at::empty({tensors[0].size(0)}, tensors[0].options());
    AT_DISPATCH_FLOATING_TYPES(energies.scalar_type(), kName, [&] {
      run_tasks(tasks(tensors),
                FittingEnergies<scalar_t>{net<scalar_t>(tensors, options), energies.data_ptr<scalar_t>()});
    });
    return {energies};
  }

  static variable_list backward(TensorList tensors, const Options &options, TensorList incoming, bool geometry,
                                bool weights) {
    const auto bounds = tasks(tensors);
    const Tensor &factors = incoming[0], inputs = zeros_if(geometry, tensors[0].sizes(), factors);
    const PartialSums parameters(weights, bounds, tensors[1].size(0), factors);
    AT_DISPATCH_FLOATING_TYPES(factors.scalar_type(), kName, [&] {
      const FittingBackward<scalar_t> kernel{net<scalar_t>(tensors, options), factors.const_data_ptr<scalar_t>(),
                                             pointer<scalar_t>(inputs), nullptr};
      run_tasks(bounds, kernel, &FittingBackward<scalar_t>::parameters, parameters);
    });
    return {inputs, parameters.total()};
  }

  static variable_list double_backward(TensorList tensors, const Options &options, TensorList incoming,
                                       TensorList directions, const Wanted &wanted) {
    const auto bounds = tasks(tensors);
    const Tensor &factors = incoming[0], by_factors = zeros_if(wanted[0], factors.sizes(), factors),
                 inputs = zeros_if(wanted[1], tensors[0].sizes(), factors);
    const PartialSums parameters(wanted[2], bounds, tensors[1].size(0), factors);
    AT_DISPATCH_FLOATING_TYPES(factors.scalar_type(), kName, [&] {
      const FittingDoubleBackward<scalar_t> kernel{
          net<scalar_t>(tensors, options), factors.const_data_ptr<scalar_t>(), directions[0].const_data_ptr<scalar_t>(),
          pointer<scalar_t>(by_factors),   pointer<scalar_t>(inputs),          nullptr};
      run_tasks(bounds, kernel, &FittingDoubleBackward<scalar_t>::parameters, parameters);
    });
    return {by_factors, inputs, parameters.total()};
  }

 private:
  static std::vector<std::int64_t> tasks(TensorList tensors) { return even_bounds(tensors[0].size(0), kAtomsPerTask); }

  template <typename Real>
  static FittingNet<Real> net(TensorList tensors, const Options &options) {
    return {{tensors[1].const_data_ptr<Real>(), tensors[0].size(1), options.widths, options.kind()},
            tensors[0].const_data_ptr<Real>()};
  }
};

using Fitting = Differentiable<FittingOp>;

template <auto function>
Tensor energies(const Tensor &inputs, const Tensor &parameters, at::IntArrayRef widths, std::int64_t activation) {
  return function({inputs, parameters}, {widths.vec(), activation})[0];
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def("fitting_net(Tensor inputs, Tensor parameters, int[] widths, int activation) -> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("fitting_net", energies<Fitting::evaluate>);
}

TORCH_LIBRARY_IMPL(pwmlff, AutogradCPU, library) {
  library.impl("fitting_net", energies<Fitting::record>);
}

}  // namespace pwmlff
