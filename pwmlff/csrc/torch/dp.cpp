// torch.ops.pwmlff.dp_evaluate: a whole Deep Potential for inference, not differentiable by autograd.
#include "dp.hpp"

#include <torch/library.h>

#include <list>
#include <mutex>
#include <tuple>

#include "dp_model.hpp"
#include "tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;
using Widths = at::IntArrayRef;

constexpr std::size_t kKept = 8;  // models prepared and kept

// What tells one model from another, and from itself after a change in place.
auto key_of(const DpTensors &d) {
  const auto identity = [](const Tensor &tensor) {
    const std::int64_t version = tensor.is_inference() ? 0 : static_cast<std::int64_t>(tensor._version());
    return std::make_pair(tensor.unsafeGetTensorImpl(), version);
  };
  return std::make_tuple(identity(d.embedding), identity(d.grids), identity(d.fitting), identity(d.mean),
                         identity(d.scale), d.embedding_widths, d.fitting_widths, d.embedding_activation,
                         d.fitting_activation, d.inner, d.outer, d.n_neighbors, d.dx, d.n_axis, d.has_double_geometry);
}

// The evaluator of a model; the last few are kept, with the tensors that tell them apart, until these change.
std::shared_ptr<const DpEvaluator> evaluator_of(const DpTensors &model) {
  using Key = decltype(key_of(model));
  struct Entry {
    Key key;
    DpTensors model;
    std::shared_ptr<const DpEvaluator> evaluator;
  };
  static std::mutex mutex;
  static std::list<Entry> kept;
  const std::lock_guard<std::mutex> lock(mutex);
  const Key key = key_of(model);
  for (auto entry = kept.begin(); entry != kept.end(); ++entry) {
    if (entry->key != key) continue;
    kept.splice(kept.begin(), kept, entry);
    return kept.front().evaluator;
  }
  model.check();
  const std::shared_ptr<const DpEvaluator> evaluator = model.description().make_evaluator();
  kept.push_front({key, model, evaluator});
  if (kept.size() > kKept) kept.pop_back();
  return evaluator;
}

std::tuple<Tensor, Tensor> evaluate_cpu(const Tensor &vectors_in, const Tensor &start_in, const Tensor &pair_types_in,
                                        const Tensor &atom_types_in, const Tensor &embedding, const Tensor &grids,
                                        const Tensor &fitting, const Tensor &mean, const Tensor &scale,
                                        Tensor overflows, Widths embedding_widths, Widths fitting_widths,
                                        std::int64_t embedding_activation, std::int64_t fitting_activation,
                                        double inner, double outer, double n_neighbors, double dx, std::int64_t n_axis,
                                        bool has_double_geometry) {
  const Tensor vectors = vectors_in.contiguous(), start = start_in.contiguous(),
               pair_types = pair_types_in.contiguous(), atom_types = atom_types_in.contiguous();
  check_dp_pairs(vectors, start, pair_types, atom_types, overflows);
  const DpNumbers numbers(embedding_widths.vec(), fitting_widths.vec(), embedding_activation, fitting_activation, inner,
                          outer, n_neighbors, dx, n_axis, has_double_geometry);
  const auto evaluator = evaluator_of({numbers, embedding, grids, fitting, mean, scale});
  const std::int64_t n_atoms = atom_types.size(0);
  Tensor energies = at::empty({n_atoms}, vectors.options()), gradients = at::empty_like(vectors);
  const DpPairs pairs{vectors.const_data_ptr<double>(), start.const_data_ptr<std::int64_t>(),
                      pair_types.const_data_ptr<std::int64_t>(), atom_types.const_data_ptr<std::int64_t>()};
  double *energies_out = energies.data_ptr<double>(), *gradients_out = gradients.data_ptr<double>();
  const auto bounds = pair_bounds(pairs.start, n_atoms, kDpPairsPerTask);
  std::vector<TableOverflows> counts(bounds.size());
  for_tasks(bounds, [&](std::int64_t task, std::int64_t first, std::int64_t last) {
    counts[task] = evaluator->evaluate(pairs, energies_out, gradients_out, first, last);
  });
  std::int64_t *total = overflows.data_ptr<std::int64_t>();
  for (const TableOverflows &count : counts) {
    total[0] += count.unseen;
    total[1] += count.beyond;
  }
  return {energies, gradients};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def(
      "dp_evaluate(Tensor vectors, Tensor start, Tensor pair_types, Tensor atom_types, Tensor embedding, Tensor grids, "
      "Tensor fitting, Tensor mean, Tensor scale, Tensor(a!) overflows, int[] embedding_widths, int[] fitting_widths, "
      "int embedding_activation, int fitting_activation, float inner, float outer, float n_neighbors, float dx, "
      "int n_axis, bool has_double_geometry) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("dp_evaluate", evaluate_cpu);
}

}  // namespace pwmlff
