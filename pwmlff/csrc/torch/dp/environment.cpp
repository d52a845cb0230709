// torch.ops.pwmlff.environment_matrix, twice differentiable by the pair vectors.
#include "dp/environment.hpp"

#include <torch/library.h>

#include <tuple>

#include "torch/differentiable.hpp"
#include "torch/tasks.hpp"

namespace pwmlff::dp {

namespace {

using at::Tensor;
using at::TensorList;

constexpr std::int64_t kPairsPerTask = 1024;  // fewer are not worth a thread

// Tensors vectors [E, 3], order [n], types [E], mean [T], scale [T, 4], n_neighbors.
struct EnvironmentOp {
  static constexpr const char *kName = "environment_matrix";
  static constexpr std::size_t kOutputs = 2, kGeometry = 1, kWeights = 0;

  struct Options {
    double inner, outer;
    at::ScalarType dtype;  // of input and rows
  };

  static void check(TensorList tensors, const Options &options) {
    const Tensor &vectors = tensors[0], &order = tensors[1], &types = tensors[2], &mean = tensors[3],
                 &scale = tensors[4];
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
    TORCH_CHECK(options.inner < options.outer, "environment_matrix expects inner < outer, got ", options.inner, " and ",
                options.outer);
  }

  static variable_list forward(TensorList tensors, const Options &options) {
    const std::int64_t n = tensors[1].size(0);
    const auto numbers = tensors[0].options().dtype(options.dtype);
    const Tensor input = at::empty({n}, numbers), rows = at::empty({n, 4}, numbers);
    AT_DISPATCH_FLOATING_TYPES(options.dtype, kName, [&] {
      run_tasks(tasks(tensors), EnvironmentMatrix<scalar_t>{pairs(tensors, options), values<scalar_t>(input, rows)});
    });
    return {input, rows};
  }

  static variable_list backward(TensorList tensors, const Options &options, TensorList incoming, bool, bool) {
    const Tensor vectors = at::zeros_like(tensors[0]);  // also of pairs that nobody wants
    AT_DISPATCH_FLOATING_TYPES(options.dtype, kName, [&] {
      run_tasks(tasks(tensors), EnvironmentGradient<scalar_t>{pairs(tensors, options), values<scalar_t>(incoming),
                                                              vectors.data_ptr<double>()});
    });
    return {vectors};
  }

  // Training never differentiates by positions once more: that part is worked out only where it is asked for.
  static variable_list double_backward(TensorList tensors, const Options &options, TensorList incoming,
                                       TensorList directions, const Wanted &wanted) {
    const Tensor input = wanted[0] ? at::empty_like(incoming[0]) : Tensor();
    const Tensor rows = wanted[1] ? at::empty_like(incoming[1]) : Tensor();
    const Tensor vectors = zeros_if(wanted[2], tensors[0].sizes(), tensors[0]);
    AT_DISPATCH_FLOATING_TYPES(options.dtype, kName, [&] {
      run_tasks(tasks(tensors),
                EnvironmentDoubleGradient<scalar_t>{pairs(tensors, options), values<scalar_t>(incoming),
                                                    directions[0].const_data_ptr<double>(),
                                                    values<scalar_t>(input, rows), pointer<double>(vectors)});
    });
    return {input, rows, vectors};
  }

 private:
  static std::vector<std::int64_t> tasks(TensorList tensors) { return even_bounds(tensors[1].size(0), kPairsPerTask); }

  static EnvironmentPairs pairs(TensorList tensors, const Options &options) {
    return {tensors[0].const_data_ptr<double>(),
            tensors[1].const_data_ptr<std::int64_t>(),
            tensors[2].const_data_ptr<std::int64_t>(),
            tensors[3].const_data_ptr<double>(),
            tensors[4].const_data_ptr<double>(),
            options.inner,
            options.outer,
            tensors[5].item<double>()};
  }

  template <typename Real>
  static EnvironmentValues<Real> values(const Tensor &input, const Tensor &rows) {
    return {pointer<Real>(input), pointer<Real>(rows)};
  }
  template <typename Real>
  static EnvironmentValues<const Real> values(TensorList incoming) {
    return {incoming[0].const_data_ptr<Real>(), incoming[1].const_data_ptr<Real>()};
  }
};

using Environment = Differentiable<EnvironmentOp>;

EnvironmentOp::Options options(double inner, double outer, bool is_double) {
  return {inner, outer, is_double ? at::kDouble : at::kFloat};
}

std::tuple<Tensor, Tensor> evaluate(const Tensor &vectors, const Tensor &order, const Tensor &types, const Tensor &mean,
                                    const Tensor &scale, const Tensor &n_neighbors, double inner, double outer,
                                    bool is_double) {
  const variable_list values =
      Environment::evaluate({vectors, order, types, mean, scale, n_neighbors}, options(inner, outer, is_double));
  return {values[0], values[1]};
}

std::tuple<Tensor, Tensor> record(const Tensor &vectors, const Tensor &order, const Tensor &types, const Tensor &mean,
                                  const Tensor &scale, const Tensor &n_neighbors, double inner, double outer,
                                  bool is_double) {
  const variable_list values =
      Environment::record({vectors, order, types, mean, scale, n_neighbors}, options(inner, outer, is_double));
  return {values[0], values[1]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def(
      "environment_matrix(Tensor vectors, Tensor order, Tensor types, Tensor mean, Tensor scale, Tensor n_neighbors, "
      "float inner, float outer, bool is_double) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("environment_matrix", evaluate);
}

TORCH_LIBRARY_IMPL(pwmlff, AutogradCPU, library) {
  library.impl("environment_matrix", record);
}

}  // namespace pwmlff::dp
