// torch.ops.pwmlff.fitting_net, twice differentiable. Built like embedding.cpp.
#include "fitting.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Widths = at::IntArrayRef;

constexpr std::int64_t kAtomsPerTask = 16;  // fewer are not worth a thread

struct Arguments {
  Tensor inputs, parameters;
  std::vector<std::int64_t> widths;
  std::int64_t activation;

  Arguments(const Tensor &inputs_in, const Tensor &parameters_in, Widths widths_in, std::int64_t activation_in)
      : inputs(inputs_in.contiguous()),
        parameters(parameters_in.contiguous()),
        widths(widths_in.vec()),
        activation(activation_in) {
    TORCH_CHECK(inputs.dim() == 2, "fitting_net expects inputs [n, D], got ", inputs.sizes());
    TORCH_CHECK(!widths.empty() && parameters.dim() == 1, "fitting_net expects widths and a vector of parameters");
    const std::int64_t expected = net_parameter_count(inputs.size(1), widths) + widths.back() + 1;
    TORCH_CHECK(parameters.size(0) == expected, "fitting_net expects ", expected, " parameters, got ",
                parameters.sizes());
    TORCH_CHECK(inputs.scalar_type() == parameters.scalar_type(),
                "fitting_net: inputs and parameters must have one dtype");
    TORCH_CHECK(activation == 0 || activation == 1, "fitting_net: unknown activation ", activation);
  }

  std::int64_t n_atoms() const { return inputs.size(0); }

  template <typename Real>
  FittingNet<Real> net() const {
    return {{parameters.const_data_ptr<Real>(), inputs.size(1), widths, static_cast<ActivationKind>(activation)},
            inputs.const_data_ptr<Real>()};
  }
};

Tensor energies_cpu(const Tensor &inputs, const Tensor &parameters, Widths widths, std::int64_t activation) {
  const Arguments arguments(inputs, parameters, widths, activation);
  Tensor energies = at::empty({arguments.n_atoms()}, arguments.inputs.options());
  AT_DISPATCH_FLOATING_TYPES(energies.scalar_type(), "fitting_net", [&] {
    const auto net = arguments.net<scalar_t>();
    scalar_t *out = energies.data_ptr<scalar_t>();
    for_tasks(even_bounds(arguments.n_atoms(), kAtomsPerTask),
              [&](std::int64_t, std::int64_t first, std::int64_t last) { fitting_energies(net, out, first, last); });
  });
  return energies;
}

// Gradients by inputs and parameters; undefined where not wanted.
variable_list backward_cpu(const Tensor &factors_in, const Arguments &arguments, bool wants_inputs,
                           bool wants_parameters) {
  const Tensor factors = factors_in.contiguous();
  const auto bounds = even_bounds(arguments.n_atoms(), kAtomsPerTask);
  const auto n_tasks = static_cast<std::int64_t>(bounds.size()) - 1;
  const Tensor inputs = zeros_if(wants_inputs, arguments.inputs.sizes(), factors);
  const Tensor partial = zeros_if(wants_parameters, {n_tasks, arguments.parameters.size(0)}, factors);
  AT_DISPATCH_FLOATING_TYPES(factors.scalar_type(), "fitting_net_backward", [&] {
    const auto net = arguments.net<scalar_t>();
    for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      FittingGradients<scalar_t> out;
      out.inputs = pointer<scalar_t>(inputs);
      out.parameters = partial_row<scalar_t>(partial, task);
      fitting_backward(net, factors.const_data_ptr<scalar_t>(), out, first, last);
    });
  });
  return {inputs, sum_partial(partial)};
}

// Gradients by factors, inputs and parameters; undefined where not wanted.
variable_list double_backward_cpu(const Tensor &factors_in, const Tensor &directions_in, const Arguments &arguments,
                                  bool wants_factors, bool wants_inputs, bool wants_parameters) {
  const Tensor factors = factors_in.contiguous(), directions = directions_in.contiguous();
  const auto bounds = even_bounds(arguments.n_atoms(), kAtomsPerTask);
  const auto n_tasks = static_cast<std::int64_t>(bounds.size()) - 1;
  const Tensor energies = zeros_if(wants_factors, factors.sizes(), factors);
  const Tensor inputs = zeros_if(wants_inputs, arguments.inputs.sizes(), factors);
  const Tensor partial = zeros_if(wants_parameters, {n_tasks, arguments.parameters.size(0)}, factors);
  AT_DISPATCH_FLOATING_TYPES(factors.scalar_type(), "fitting_net_double_backward", [&] {
    const auto net = arguments.net<scalar_t>();
    for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      FittingGradients<scalar_t> out;
      out.energies = pointer<scalar_t>(energies);
      out.inputs = pointer<scalar_t>(inputs);
      out.parameters = partial_row<scalar_t>(partial, task);
      fitting_double_backward(net, factors.const_data_ptr<scalar_t>(), directions.const_data_ptr<scalar_t>(), out,
                              first, last);
    });
  });
  return {energies, inputs, sum_partial(partial)};
}

// The gradient of the energies by the inputs, as a differentiable function.
class InputGradient : public torch::autograd::Function<InputGradient> {
 public:
  static Tensor forward(AutogradContext *context, const Tensor &factors, const Tensor &inputs, const Tensor &parameters,
                        std::vector<std::int64_t> widths, std::int64_t activation) {
    context->save_for_backward({factors, inputs, parameters});
    context->saved_data["widths"] = widths;
    context->saved_data["activation"] = activation;
    return backward_cpu(factors, Arguments(inputs, parameters, widths, activation), true, false)[0];
  }

  static variable_list backward(AutogradContext *context, variable_list incoming) {
    TORCH_CHECK(!(at::GradMode::is_enabled() && incoming[0].requires_grad()),
                "fitting_net is differentiable twice, a third derivative was asked for");
    const auto saved = context->get_saved_variables();
    const Arguments arguments(saved[1], saved[2], context->saved_data["widths"].toIntVector(),
                              context->saved_data["activation"].toInt());
    auto result = double_backward_cpu(saved[0], incoming[0], arguments, context->needs_input_grad(0),
                                      context->needs_input_grad(1), context->needs_input_grad(2));
    return {result[0], result[1], result[2], Tensor(), Tensor()};
  }
};

class FittingFunction : public torch::autograd::Function<FittingFunction> {
 public:
  static Tensor forward(AutogradContext *context, const Tensor &inputs, const Tensor &parameters,
                        std::vector<std::int64_t> widths, std::int64_t activation) {
    context->save_for_backward({inputs, parameters});
    context->saved_data["widths"] = widths;
    context->saved_data["activation"] = activation;
    return energies_cpu(inputs, parameters, widths, activation);
  }

  static variable_list backward(AutogradContext *context, variable_list incoming) {
    const auto saved = context->get_saved_variables();
    const auto widths = context->saved_data["widths"].toIntVector();
    const auto activation = context->saved_data["activation"].toInt();
    const bool wants_inputs = context->needs_input_grad(0), wants_parameters = context->needs_input_grad(1);
    if (wants_inputs && at::GradMode::is_enabled()) {
      TORCH_CHECK(!wants_parameters,
                  "fitting_net: a gradient by positions and parameters at once cannot be "
                  "differentiated again; ask for them separately");
      return {InputGradient::apply(incoming[0], saved[0], saved[1], widths, activation), Tensor(), Tensor(), Tensor()};
    }
    const Arguments arguments(saved[0], saved[1], widths, activation);
    auto result = backward_cpu(incoming[0], arguments, wants_inputs, wants_parameters);
    return {result[0], result[1], Tensor(), Tensor()};
  }
};

Tensor energies_autograd(const Tensor &inputs, const Tensor &parameters, Widths widths, std::int64_t activation) {
  return FittingFunction::apply(inputs, parameters, widths.vec(), activation);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def("fitting_net(Tensor inputs, Tensor parameters, int[] widths, int activation) -> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("fitting_net", energies_cpu);
}

TORCH_LIBRARY_IMPL(pwmlff, AutogradCPU, library) {
  library.impl("fitting_net", energies_autograd);
}

}  // namespace pwmlff
