// torch.ops.pwmlff.embedding_contraction, twice differentiable.
//
// Training differentiates forces by parameters: forces are the first derivative by s and rows, so the second
// derivative is an operation of its own. Each needs only what is asked for: the engine tells which gradients are.
#include "embedding.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <array>

#include "tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Widths = at::IntArrayRef;

constexpr std::int64_t kPairsPerTask = 256;  // fewer are not worth a thread

struct Arguments {
  Tensor s, rows, start, parameters;
  std::vector<std::int64_t> widths;
  std::int64_t activation;

  Arguments(const Tensor &s_in, const Tensor &rows_in, const Tensor &start_in, const Tensor &parameters_in,
            Widths widths_in, std::int64_t activation_in)
      : s(s_in.contiguous()),
        rows(rows_in.contiguous()),
        start(start_in.contiguous()),
        parameters(parameters_in.contiguous()),
        widths(widths_in.vec()),
        activation(activation_in) {
    TORCH_CHECK(s.dim() == 1 && rows.dim() == 2 && rows.size(1) == 4 && rows.size(0) == s.size(0),
                "embedding_contraction expects s [E] and rows [E, 4], got ", s.sizes(), " and ", rows.sizes());
    TORCH_CHECK(start.dim() == 1 && start.size(0) >= 1 && start.scalar_type() == at::kLong,
                "embedding_contraction expects start [N + 1] of int64, got ", start.sizes());
    TORCH_CHECK(!widths.empty() && parameters.dim() == 1 && parameters.size(0) == net_parameter_count(1, widths),
                "embedding_contraction expects ", net_parameter_count(1, widths), " parameters, got ",
                parameters.sizes());
    TORCH_CHECK(s.scalar_type() == rows.scalar_type() && s.scalar_type() == parameters.scalar_type(),
                "embedding_contraction: s, rows and parameters must have one dtype");
    TORCH_CHECK(start[-1].item<std::int64_t>() == s.size(0) && start[0].item<std::int64_t>() == 0,
                "embedding_contraction: start must run from 0 to ", s.size(0));
    TORCH_CHECK(activation == 0 || activation == 1, "embedding_contraction: unknown activation ", activation);
  }

  std::int64_t n_atoms() const { return start.size(0) - 1; }
  std::int64_t n_features() const { return widths.back(); }

  template <typename Real>
  NetView<Real> net() const {
    return {parameters.const_data_ptr<Real>(), 1, widths, static_cast<ActivationKind>(activation)};
  }

  template <typename Real>
  EmbeddingPairs<Real> pairs() const {
    return {s.const_data_ptr<Real>(), rows.const_data_ptr<Real>(), start.const_data_ptr<std::int64_t>()};
  }

  // Bounds of the atoms of each task, about equal in pairs; fixed by the number of threads, so that sums repeat.
  std::vector<std::int64_t> tasks() const {
    return pair_bounds(start.const_data_ptr<std::int64_t>(), n_atoms(), kPairsPerTask);
  }
};

Tensor contract_cpu(const Tensor &s, const Tensor &rows, const Tensor &start, const Tensor &parameters, Widths widths,
                    std::int64_t activation) {
  const Arguments arguments(s, rows, start, parameters, widths, activation);
  Tensor sums = at::empty({arguments.n_atoms(), 4, arguments.n_features()}, arguments.s.options());
  AT_DISPATCH_FLOATING_TYPES(sums.scalar_type(), "embedding_contraction", [&] {
    const auto net = arguments.net<scalar_t>();
    const auto pairs = arguments.pairs<scalar_t>();
    scalar_t *out = sums.data_ptr<scalar_t>();
    for_tasks(arguments.tasks(), [&](std::int64_t, std::int64_t first, std::int64_t last) {
      embedding_contract(net, pairs, out, first, last);
    });
  });
  return sums;
}

// Gradients by s, rows, parameters; undefined where not wanted.
using Wanted3 = std::array<bool, 3>;
variable_list backward_cpu(const Tensor &gradient_in, const Arguments &arguments, Wanted3 wanted) {
  const Tensor gradient = gradient_in.contiguous();
  const auto bounds = arguments.tasks();
  const auto n_tasks = static_cast<std::int64_t>(bounds.size()) - 1;
  const Tensor s = zeros_if(wanted[0], arguments.s.sizes(), gradient);
  const Tensor rows = zeros_if(wanted[1], arguments.rows.sizes(), gradient);
  const Tensor partial = zeros_if(wanted[2], {n_tasks, arguments.parameters.size(0)}, gradient);
  AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), "embedding_contraction_backward", [&] {
    const auto net = arguments.net<scalar_t>();
    const auto pairs = arguments.pairs<scalar_t>();
    const scalar_t *in = gradient.const_data_ptr<scalar_t>();
    for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      EmbeddingGradients<scalar_t> out;
      out.s = pointer<scalar_t>(s);
      out.rows = pointer<scalar_t>(rows);
      out.parameters = partial_row<scalar_t>(partial, task);
      embedding_backward(net, pairs, in, out, first, last);
    });
  });
  return {s, rows, sum_partial(partial)};
}

// Gradients by sums_gradient, s, rows, parameters; undefined where not wanted.
using Wanted4 = std::array<bool, 4>;
variable_list double_backward_cpu(const Tensor &gradient_in, const Tensor &s_direction_in,
                                  const Tensor &rows_direction_in, const Arguments &arguments, Wanted4 wanted) {
  const Tensor gradient = gradient_in.contiguous(), s_direction = s_direction_in.contiguous(),
               rows_direction = rows_direction_in.contiguous();
  const auto bounds = arguments.tasks();
  const auto n_tasks = static_cast<std::int64_t>(bounds.size()) - 1;
  const Tensor sums = zeros_if(wanted[0], gradient.sizes(), gradient);
  const Tensor s = zeros_if(wanted[1], arguments.s.sizes(), gradient);
  const Tensor rows = zeros_if(wanted[2], arguments.rows.sizes(), gradient);
  const Tensor partial = zeros_if(wanted[3], {n_tasks, arguments.parameters.size(0)}, gradient);
  AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), "embedding_contraction_double_backward", [&] {
    const auto net = arguments.net<scalar_t>();
    const auto pairs = arguments.pairs<scalar_t>();
    for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
      EmbeddingGradients<scalar_t> out;
      out.sums = pointer<scalar_t>(sums);
      out.s = pointer<scalar_t>(s);
      out.rows = pointer<scalar_t>(rows);
      out.parameters = partial_row<scalar_t>(partial, task);
      embedding_double_backward(net, pairs, gradient.const_data_ptr<scalar_t>(), s_direction.const_data_ptr<scalar_t>(),
                                rows_direction.const_data_ptr<scalar_t>(), out, first, last);
    });
  });
  return {sums, s, rows, sum_partial(partial)};
}

// The gradients of the contraction by s and rows, as a differentiable function.
class GeometryGradient : public torch::autograd::Function<GeometryGradient> {
 public:
  static variable_list forward(AutogradContext *context, const Tensor &gradient, const Tensor &s, const Tensor &rows,
                               const Tensor &start, const Tensor &parameters, std::vector<std::int64_t> widths,
                               std::int64_t activation) {
    context->save_for_backward({gradient, s, rows, start, parameters});
    context->saved_data["widths"] = widths;
    context->saved_data["activation"] = activation;
    const Arguments arguments(s, rows, start, parameters, widths, activation);
    auto result = backward_cpu(gradient, arguments, {true, true, false});
    return {result[0], result[1]};
  }

  static variable_list backward(AutogradContext *context, variable_list incoming) {
    TORCH_CHECK(!(at::GradMode::is_enabled() && (incoming[0].requires_grad() || incoming[1].requires_grad())),
                "embedding_contraction is differentiable twice, a third derivative was asked for");
    const auto saved = context->get_saved_variables();
    const Arguments arguments(saved[1], saved[2], saved[3], saved[4], context->saved_data["widths"].toIntVector(),
                              context->saved_data["activation"].toInt());
    const Tensor s_direction = incoming[0].defined() ? incoming[0] : at::zeros_like(arguments.s);
    const Tensor rows_direction = incoming[1].defined() ? incoming[1] : at::zeros_like(arguments.rows);
    const Wanted4 wanted = {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2),
                            context->needs_input_grad(4)};
    auto result = double_backward_cpu(saved[0], s_direction, rows_direction, arguments, wanted);
    return {result[0], result[1], result[2], Tensor(), result[3], Tensor(), Tensor()};
  }
};

class EmbeddingContraction : public torch::autograd::Function<EmbeddingContraction> {
 public:
  static Tensor forward(AutogradContext *context, const Tensor &s, const Tensor &rows, const Tensor &start,
                        const Tensor &parameters, std::vector<std::int64_t> widths, std::int64_t activation) {
    context->save_for_backward({s, rows, start, parameters});
    context->saved_data["widths"] = widths;
    context->saved_data["activation"] = activation;
    return contract_cpu(s, rows, start, parameters, widths, activation);
  }

  static variable_list backward(AutogradContext *context, variable_list incoming) {
    const auto saved = context->get_saved_variables();
    const auto widths = context->saved_data["widths"].toIntVector();
    const auto activation = context->saved_data["activation"].toInt();
    const bool geometry = context->needs_input_grad(0) || context->needs_input_grad(1);
    const bool weights = context->needs_input_grad(3);
    variable_list result(6);
    if (geometry && at::GradMode::is_enabled()) {
      TORCH_CHECK(!weights,
                  "embedding_contraction: a gradient by positions and parameters at once cannot be "
                  "differentiated again; ask for them separately");
      const auto pair =
          GeometryGradient::apply(incoming[0], saved[0], saved[1], saved[2], saved[3], widths, activation);
      result[0] = pair[0];
      result[1] = pair[1];
      return result;
    }
    const Arguments arguments(saved[0], saved[1], saved[2], saved[3], widths, activation);
    auto all = backward_cpu(incoming[0], arguments, {geometry, geometry, weights});
    result[0] = all[0];
    result[1] = all[1];
    result[3] = all[2];
    return result;
  }
};

Tensor contract_autograd(const Tensor &s, const Tensor &rows, const Tensor &start, const Tensor &parameters,
                         Widths widths, std::int64_t activation) {
  return EmbeddingContraction::apply(s, rows, start, parameters, widths.vec(), activation);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def(
      "embedding_contraction(Tensor s, Tensor rows, Tensor start, Tensor parameters, int[] widths, int activation) "
      "-> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("embedding_contraction", contract_cpu);
}

TORCH_LIBRARY_IMPL(pwmlff, AutogradCPU, library) {
  library.impl("embedding_contraction", contract_autograd);
}

}  // namespace pwmlff
