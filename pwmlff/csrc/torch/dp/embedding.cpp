// torch.ops.pwmlff.embedding_contraction, twice differentiable.
#include "dp/embedding.hpp"

#include <torch/library.h>

#include "pairs.hpp"
#include "torch/differentiable.hpp"
#include "torch/tasks.hpp"

namespace pwmlff::dp {

namespace {

using at::Tensor;
using at::TensorList;

// Tensors s [E], rows [E, 4], parameters [P], start [N + 1].
struct EmbeddingOp {
  static constexpr const char *kName = "embedding_contraction";
  static constexpr std::size_t kOutputs = 1, kGeometry = 2, kWeights = 1;

  struct Options {
    std::vector<std::int64_t> widths;
    std::int64_t activation;
  };

  static void check(TensorList tensors, const Options &options) {
    const Tensor &s = tensors[0], &rows = tensors[1], &parameters = tensors[2], &start = tensors[3];
    const std::vector<std::int64_t> &widths = options.widths;
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
    TORCH_CHECK(options.activation == 0 || options.activation == 1, "embedding_contraction: unknown activation ",
                options.activation);
  }

  static variable_list forward(TensorList tensors, const Options &options) {
    const Tensor sums = at::empty({n_atoms(tensors), 4, options.widths.back()}, tensors[0].options());
    AT_DISPATCH_FLOATING_TYPES(sums.scalar_type(), kName, [&] {
      const EmbeddingSums<scalar_t> kernel{net<scalar_t>(tensors, options), pairs<scalar_t>(tensors),
                                           sums.data_ptr<scalar_t>()};
      run_tasks(tasks(tensors), kernel);
    });
    return {sums};
  }

  static variable_list backward(TensorList tensors, const Options &options, TensorList incoming, bool geometry,
                                bool weights) {
    const auto bounds = tasks(tensors);
    const Tensor &gradient = incoming[0], s = zeros_if(geometry, tensors[0].sizes(), gradient),
                 rows = zeros_if(geometry, tensors[1].sizes(), gradient);
    const PartialSums parameters(weights, bounds, tensors[2].size(0), gradient);
    AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), kName, [&] {
      const EmbeddingBackward<scalar_t> kernel{net<scalar_t>(tensors, options),
                                               pairs<scalar_t>(tensors),
                                               gradient.const_data_ptr<scalar_t>(),
                                               pointer<scalar_t>(s),
                                               pointer<scalar_t>(rows),
                                               nullptr};
      run_tasks(bounds, kernel, &EmbeddingBackward<scalar_t>::parameters, parameters);
    });
    return {s, rows, parameters.total()};
  }

  static variable_list double_backward(TensorList tensors, const Options &options, TensorList incoming,
                                       TensorList directions, const Wanted &wanted) {
    const auto bounds = tasks(tensors);
    const Tensor &gradient = incoming[0], sums = zeros_if(wanted[0], gradient.sizes(), gradient),
                 s = zeros_if(wanted[1], tensors[0].sizes(), gradient),
                 rows = zeros_if(wanted[2], tensors[1].sizes(), gradient);
    const PartialSums parameters(wanted[3], bounds, tensors[2].size(0), gradient);
    AT_DISPATCH_FLOATING_TYPES(gradient.scalar_type(), kName, [&] {
      const EmbeddingDoubleBackward<scalar_t> kernel{net<scalar_t>(tensors, options),
                                                     pairs<scalar_t>(tensors),
                                                     gradient.const_data_ptr<scalar_t>(),
                                                     directions[0].const_data_ptr<scalar_t>(),
                                                     directions[1].const_data_ptr<scalar_t>(),
                                                     pointer<scalar_t>(sums),
                                                     pointer<scalar_t>(s),
                                                     pointer<scalar_t>(rows),
                                                     nullptr};
      run_tasks(bounds, kernel, &EmbeddingDoubleBackward<scalar_t>::parameters, parameters);
    });
    return {sums, s, rows, parameters.total()};
  }

 private:
  static std::int64_t n_atoms(TensorList tensors) { return tensors[3].size(0) - 1; }

  // About equal in pairs; fixed by the number of threads, so that sums repeat.
  static std::vector<std::int64_t> tasks(TensorList tensors) {
    return pair_bounds(tensors[3].const_data_ptr<std::int64_t>(), n_atoms(tensors), kPairsPerTask);
  }

  template <typename Real>
  static NetView<Real> net(TensorList tensors, const Options &options) {
    return {tensors[2].const_data_ptr<Real>(), 1, options.widths, static_cast<ActivationKind>(options.activation)};
  }

  template <typename Real>
  static EmbeddingPairs<Real> pairs(TensorList tensors) {
    return {tensors[0].const_data_ptr<Real>(), tensors[1].const_data_ptr<Real>(),
            tensors[3].const_data_ptr<std::int64_t>()};
  }
};

using Embedding = Differentiable<EmbeddingOp>;

Tensor evaluate(const Tensor &s, const Tensor &rows, const Tensor &start, const Tensor &parameters,
                at::IntArrayRef widths, std::int64_t activation) {
  return Embedding::evaluate({s, rows, parameters, start}, {widths.vec(), activation})[0];
}

Tensor record(const Tensor &s, const Tensor &rows, const Tensor &start, const Tensor &parameters,
              at::IntArrayRef widths, std::int64_t activation) {
  return Embedding::record({s, rows, parameters, start}, {widths.vec(), activation})[0];
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def(
      "embedding_contraction(Tensor s, Tensor rows, Tensor start, Tensor parameters, int[] widths, int activation) "
      "-> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("embedding_contraction", evaluate);
}

TORCH_LIBRARY_IMPL(pwmlff, AutogradCPU, library) {
  library.impl("embedding_contraction", record);
}

}  // namespace pwmlff::dp
