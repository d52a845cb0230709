#include "cuda/dp/embedding.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include "cuda/dp/contraction_device.hpp"
#include "cuda/stream.hpp"
#include "torch/dp/embedding_arguments.hpp"

namespace pwmlff::cuda {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Runs `launcher` on contiguous factors and a result of this shape.
template <typename Launcher>
Tensor multiply(Launcher launcher, const Tensor &first_in, const Tensor &second_in, const Tensor &start,
                const Tensor &centers, at::IntArrayRef shape, std::int64_t n_features) {
  const Tensor first = first_in.contiguous(), second = second_in.contiguous();
  Tensor result = at::empty(shape, first.options());
  const AtomPairs pairs{start.const_data_ptr<std::int64_t>(), centers.const_data_ptr<std::int64_t>(), start.size(0) - 1,
                        centers.size(0), n_features};
  AT_DISPATCH_FLOATING_TYPES(first.scalar_type(), "embedding_contraction", [&] {
    const cudaError_t status = launcher(pairs, first.const_data_ptr<scalar_t>(), second.const_data_ptr<scalar_t>(),
                                        result.data_ptr<scalar_t>(), current_stream());
    TORCH_CHECK(status == cudaSuccess, "embedding_contraction on CUDA: ", cudaGetErrorString(status));
  });
  return result;
}

// Each product of contraction_device.hpp as a differentiable function of its two factors, start and centers.
struct Contract : torch::autograd::Function<Contract> {
  static Tensor forward(AutogradContext *context, const Tensor &rows, const Tensor &features, const Tensor &start,
                        const Tensor &centers);
  static variable_list backward(AutogradContext *context, variable_list incoming);
};

struct Expand : torch::autograd::Function<Expand> {
  static Tensor forward(AutogradContext *context, const Tensor &rows, const Tensor &sums, const Tensor &start,
                        const Tensor &centers);
  static variable_list backward(AutogradContext *context, variable_list incoming);
};

struct Project : torch::autograd::Function<Project> {
  static Tensor forward(AutogradContext *context, const Tensor &features, const Tensor &sums, const Tensor &start,
                        const Tensor &centers);
  static variable_list backward(AutogradContext *context, variable_list incoming);
};

Tensor Contract::forward(AutogradContext *context, const Tensor &rows, const Tensor &features, const Tensor &start,
                         const Tensor &centers) {
  context->save_for_backward({rows, features, start, centers});
  const auto launcher = [](auto... arguments) { return contract(arguments...); };
  return multiply(launcher, rows, features, start, centers, {start.size(0) - 1, 4, features.size(1)}, features.size(1));
}

variable_list Contract::backward(AutogradContext *context, variable_list incoming) {
  const auto saved = context->get_saved_variables();
  variable_list result(4);
  if (context->needs_input_grad(0)) result[0] = Project::apply(saved[1], incoming[0], saved[2], saved[3]);
  if (context->needs_input_grad(1)) result[1] = Expand::apply(saved[0], incoming[0], saved[2], saved[3]);
  return result;
}

Tensor Expand::forward(AutogradContext *context, const Tensor &rows, const Tensor &sums, const Tensor &start,
                       const Tensor &centers) {
  context->save_for_backward({rows, sums, start, centers});
  const auto launcher = [](auto... arguments) { return expand(arguments...); };
  return multiply(launcher, rows, sums, start, centers, {rows.size(0), sums.size(2)}, sums.size(2));
}

variable_list Expand::backward(AutogradContext *context, variable_list incoming) {
  const auto saved = context->get_saved_variables();
  variable_list result(4);
  if (context->needs_input_grad(0)) result[0] = Project::apply(incoming[0], saved[1], saved[2], saved[3]);
  if (context->needs_input_grad(1)) result[1] = Contract::apply(saved[0], incoming[0], saved[2], saved[3]);
  return result;
}

Tensor Project::forward(AutogradContext *context, const Tensor &features, const Tensor &sums, const Tensor &start,
                        const Tensor &centers) {
  context->save_for_backward({features, sums, start, centers});
  const auto launcher = [](auto... arguments) { return project(arguments...); };
  return multiply(launcher, features, sums, start, centers, {features.size(0), 4}, sums.size(2));
}

variable_list Project::backward(AutogradContext *context, variable_list incoming) {
  const auto saved = context->get_saved_variables();
  variable_list result(4);
  if (context->needs_input_grad(0)) result[0] = Expand::apply(incoming[0], saved[1], saved[2], saved[3]);
  if (context->needs_input_grad(1)) result[1] = Contract::apply(incoming[0], saved[0], saved[2], saved[3]);
  return result;
}

// As in nets.hpp, recorded for derivatives by ATen.
Tensor residual_net(Tensor x, const Tensor &parameters, at::IntArrayRef widths, ActivationKind activation) {
  std::int64_t offset = 0;
  for (std::size_t depth = 0; depth < widths.size(); ++depth) {
    const std::int64_t n_in = x.size(1), n_out = widths[depth];
    const Tensor weight = parameters.narrow(0, offset, n_out * n_in).view({n_out, n_in});
    offset += n_out * n_in;
    const Tensor z = at::addmm(parameters.narrow(0, offset, n_out), x, weight.t());
    const Tensor scale = parameters.narrow(0, offset + n_out, n_out);
    offset += 2 * n_out;
    Tensor y = scale * (activation == ActivationKind::tanh ? at::tanh(z) : at::sigmoid(z));
    if (depth > 0 && n_out == n_in) y = y + x;
    if (depth > 0 && n_out == 2 * n_in) y = y + at::cat({x, x}, 1);
    x = y;
  }
  return x;
}

}  // namespace

Tensor embedding_contraction(const Tensor &s, const Tensor &rows, const Tensor &start_in, const Tensor &parameters,
                             at::IntArrayRef widths, std::int64_t activation) {
  const NetOptions net{widths.vec(), activation};
  dp::check_embedding_arguments(s, rows, parameters, start_in, net);
  const Tensor start = start_in.contiguous();
  const Tensor atoms = at::arange(start.size(0) - 1, start.options());
  const Tensor counts = start.slice(0, 1) - start.slice(0, 0, -1);
  const Tensor centers = at::repeat_interleave(atoms, counts, 0);
  TORCH_CHECK(centers.size(0) == s.size(0), "embedding_contraction: start must run from 0 to ", s.size(0));
  const Tensor features = residual_net(s.unsqueeze(1), parameters, widths, net.kind());
  return Contract::apply(rows, features, start, centers);
}

}  // namespace pwmlff::cuda
