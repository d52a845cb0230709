// torch.ops.pwmlff.environment_matrix, twice differentiable by the pair vectors.
//
// Training differentiates forces by the weights of the nets, never by positions once more: that derivative is worked
// out only where it is asked for.
#include "environment.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <array>
#include <tuple>

#include "tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kPairsPerTask = 1024;  // fewer are not worth a thread

struct Arguments {
  Tensor vectors, order, types, mean, scale, n_neighbors;
  double inner, outer;
  at::ScalarType dtype;  // of input and rows

  Arguments(const Tensor &vectors_in, const Tensor &order_in, const Tensor &types_in, const Tensor &mean_in,
            const Tensor &scale_in, const Tensor &n_neighbors_in, double inner_in, double outer_in, bool is_double)
      : vectors(vectors_in.contiguous()),
        order(order_in.contiguous()),
        types(types_in.contiguous()),
        mean(mean_in.contiguous()),
        scale(scale_in.contiguous()),
        n_neighbors(n_neighbors_in),
        inner(inner_in),
        outer(outer_in),
        dtype(is_double ? at::kDouble : at::kFloat) {
    TORCH_CHECK(vectors.dim() == 2 && vectors.size(1) == 3 && vectors.scalar_type() == at::kDouble,
                "environment_matrix expects pair vectors [E, 3] of float64, got ", vectors.sizes(), " of ",
                vectors.scalar_type());
    TORCH_CHECK(order.dim() == 1 && order.scalar_type() == at::kLong && order.size(0) <= vectors.size(0),
                "environment_matrix expects an order [n <= E] of int64, got ", order.sizes());
    TORCH_CHECK(types.dim() == 1 && types.scalar_type() == at::kLong && types.size(0) == vectors.size(0),
                "environment_matrix expects types [E] of int64, got ", types.sizes());
    TORCH_CHECK(mean.dim() == 1 && mean.scalar_type() == at::kDouble && scale.scalar_type() == at::kDouble &&
                    scale.dim() == 2 && scale.size(0) == mean.size(0) && scale.size(1) == 4,
                "environment_matrix expects mean [T] and scale [T, 4] of float64, got ", mean.sizes(), " and ",
                scale.sizes());
    TORCH_CHECK(inner < outer, "environment_matrix expects inner < outer, got ", inner, " and ", outer);
  }

  Arguments(AutogradContext *context, const variable_list &saved, std::size_t begin)
      : Arguments(saved[begin], saved[begin + 1], saved[begin + 2], saved[begin + 3], saved[begin + 4],
                  saved[begin + 5], context->saved_data["inner"].toDouble(), context->saved_data["outer"].toDouble(),
                  context->saved_data["is_double"].toBool()) {}

  // After other saved variables, if there are any; the counterpart of the constructor above.
  void save(AutogradContext *context, variable_list others = {}) const {
    for (const Tensor &tensor : {vectors, order, types, mean, scale, n_neighbors}) others.push_back(tensor);
    context->save_for_backward(std::move(others));
    context->saved_data["inner"] = inner;
    context->saved_data["outer"] = outer;
    context->saved_data["is_double"] = dtype == at::kDouble;
  }

  std::int64_t n() const { return order.size(0); }
  at::TensorOptions options() const { return vectors.options().dtype(dtype); }
  EnvironmentPairs pairs() const {
    return {vectors.const_data_ptr<double>(),
            order.const_data_ptr<std::int64_t>(),
            types.const_data_ptr<std::int64_t>(),
            mean.const_data_ptr<double>(),
            scale.const_data_ptr<double>(),
            inner,
            outer,
            n_neighbors.item<double>()};
  }
};

template <typename Real>
EnvironmentValues<Real> values(const Tensor &input, const Tensor &rows) {
  return {pointer<Real>(input), pointer<Real>(rows)};
}

std::tuple<Tensor, Tensor> matrix(const Arguments &arguments) {
  const Tensor input = at::empty({arguments.n()}, arguments.options());
  const Tensor rows = at::empty({arguments.n(), 4}, arguments.options());
  const EnvironmentPairs pairs = arguments.pairs();
  AT_DISPATCH_FLOATING_TYPES(arguments.dtype, "environment_matrix", [&] {
    const auto out = values<scalar_t>(input, rows);
    for_tasks(even_bounds(arguments.n(), kPairsPerTask), [&](std::int64_t, std::int64_t first, std::int64_t last) {
      environment_matrix(pairs, out, first, last);
    });
  });
  return {input, rows};
}

Tensor gradient(const Arguments &arguments, const Tensor &by_input, const Tensor &by_rows) {
  const Tensor result = at::zeros_like(arguments.vectors);
  const EnvironmentPairs pairs = arguments.pairs();
  AT_DISPATCH_FLOATING_TYPES(arguments.dtype, "environment_gradient", [&] {
    const EnvironmentValues<const scalar_t> by{by_input.const_data_ptr<scalar_t>(), by_rows.const_data_ptr<scalar_t>()};
    double *out = result.data_ptr<double>();
    for_tasks(even_bounds(arguments.n(), kPairsPerTask), [&](std::int64_t, std::int64_t first, std::int64_t last) {
      environment_gradient(pairs, by, out, first, last);
    });
  });
  return result;
}

// Gradients by by_input, by_rows and the vectors; undefined where not wanted.
variable_list double_gradient(const Arguments &arguments, const Tensor &by_input, const Tensor &by_rows,
                              const Tensor &directions, std::array<bool, 3> wanted) {
  const Tensor input = wanted[0] ? at::empty_like(by_input) : Tensor();
  const Tensor rows = wanted[1] ? at::empty_like(by_rows) : Tensor();
  const Tensor vectors = zeros_if(wanted[2], arguments.vectors.sizes(), arguments.vectors);
  const EnvironmentPairs pairs = arguments.pairs();
  AT_DISPATCH_FLOATING_TYPES(arguments.dtype, "environment_double_gradient", [&] {
    const EnvironmentValues<const scalar_t> by{by_input.const_data_ptr<scalar_t>(), by_rows.const_data_ptr<scalar_t>()};
    const auto out = values<scalar_t>(input, rows);
    const double *in = directions.const_data_ptr<double>();
    double *by_vectors = pointer<double>(vectors);
    for_tasks(even_bounds(arguments.n(), kPairsPerTask), [&](std::int64_t, std::int64_t first, std::int64_t last) {
      environment_double_gradient(pairs, by, in, out, by_vectors, first, last);
    });
  });
  return {input, rows, vectors};
}

// The gradient by the vectors, as a differentiable function of the gradients by input and rows and of the vectors.
class EnvironmentGradient : public torch::autograd::Function<EnvironmentGradient> {
 public:
  static Tensor forward(AutogradContext *context, const Tensor &by_input, const Tensor &by_rows, const Tensor &,
                        const Arguments &arguments) {
    arguments.save(context, {by_input, by_rows});
    return gradient(arguments, by_input, by_rows);
  }

  static variable_list backward(AutogradContext *context, variable_list incoming) {
    TORCH_CHECK(!(at::GradMode::is_enabled() && incoming[0].requires_grad()),
                "environment_matrix is differentiable twice, a third derivative was asked for");
    const auto saved = context->get_saved_variables();
    const Arguments arguments(context, saved, 2);
    auto result =
        double_gradient(arguments, saved[0], saved[1], incoming[0].contiguous(),
                        {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2)});
    result.emplace_back();
    return result;
  }
};

class EnvironmentMatrix : public torch::autograd::Function<EnvironmentMatrix> {
 public:
  static variable_list forward(AutogradContext *context, const Tensor &, const Arguments &arguments) {
    arguments.save(context);
    const auto [input, rows] = matrix(arguments);
    return {input, rows};
  }

  static variable_list backward(AutogradContext *context, variable_list incoming) {
    const auto saved = context->get_saved_variables();
    const Arguments arguments(context, saved, 0);
    const Tensor by_input =
        incoming[0].defined() ? incoming[0].contiguous() : at::zeros({arguments.n()}, arguments.options());
    const Tensor by_rows =
        incoming[1].defined() ? incoming[1].contiguous() : at::zeros({arguments.n(), 4}, arguments.options());
    return {EnvironmentGradient::apply(by_input, by_rows, saved[0], arguments), Tensor()};
  }
};

std::tuple<Tensor, Tensor> environment_matrix_cpu(const Tensor &vectors, const Tensor &order, const Tensor &types,
                                                  const Tensor &mean, const Tensor &scale, const Tensor &n_neighbors,
                                                  double inner, double outer, bool is_double) {
  return matrix({vectors, order, types, mean, scale, n_neighbors, inner, outer, is_double});
}

std::tuple<Tensor, Tensor> environment_matrix_autograd(const Tensor &vectors, const Tensor &order, const Tensor &types,
                                                       const Tensor &mean, const Tensor &scale,
                                                       const Tensor &n_neighbors, double inner, double outer,
                                                       bool is_double) {
  const auto result = EnvironmentMatrix::apply(
      vectors, Arguments(vectors, order, types, mean, scale, n_neighbors, inner, outer, is_double));
  return {result[0], result[1]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def(
      "environment_matrix(Tensor vectors, Tensor order, Tensor types, Tensor mean, Tensor scale, Tensor n_neighbors, "
      "float inner, float outer, bool is_double) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("environment_matrix", environment_matrix_cpu);
}

TORCH_LIBRARY_IMPL(pwmlff, AutogradCPU, library) {
  library.impl("environment_matrix", environment_matrix_autograd);
}

}  // namespace pwmlff
