// torch.ops.pwmlff.embedding_contraction, twice differentiable.
#include "dp/embedding.hpp"

#include <torch/library.h>

#include "pairs.hpp"
#include "torch/differentiable.hpp"
#include "torch/dp/embedding_arguments.hpp"
#include "torch/tasks.hpp"

namespace pwmlff::dp {

namespace {

using at::Tensor;
using at::TensorList;

// Tensors s [E], rows [E, 4], parameters [P], start [N + 1].
struct EmbeddingOp {
  static constexpr const char *kName = "embedding_contraction";
  static constexpr std::size_t kOutputs = 1, kGeometry = 2, kWeights = 1;

  using Options = NetOptions;

  static void check(TensorList tensors, const Options &options) {
    const Tensor &s = tensors[0], &rows = tensors[1], &parameters = tensors[2], &start = tensors[3];
    check_embedding_arguments(s, rows, parameters, start, options);
    TORCH_CHECK(start[-1].item<std::int64_t>() == s.size(0) && start[0].item<std::int64_t>() == 0,
                "embedding_contraction: start must run from 0 to ", s.size(0));
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
    return {tensors[2].const_data_ptr<Real>(), 1, options.widths, options.kind()};
  }

  template <typename Real>
  static EmbeddingPairs<Real> pairs(TensorList tensors) {
    return {tensors[0].const_data_ptr<Real>(), tensors[1].const_data_ptr<Real>(),
            tensors[3].const_data_ptr<std::int64_t>()};
  }
};

using Embedding = Differentiable<EmbeddingOp>;

template <auto function>
Tensor contraction(const Tensor &s, const Tensor &rows, const Tensor &start, const Tensor &parameters,
                   at::IntArrayRef widths, std::int64_t activation) {
  return function({s, rows, parameters, start}, {widths.vec(), activation})[0];
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def(
      "embedding_contraction(Tensor s, Tensor rows, Tensor start, Tensor parameters, int[] widths, int activation) "
      "-> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("embedding_contraction", contraction<Embedding::evaluate>);
}

TORCH_LIBRARY_IMPL(pwmlff, AutogradCPU, library) {
  library.impl("embedding_contraction", contraction<Embedding::record>);
}

}  // namespace pwmlff::dp
