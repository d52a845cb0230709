// A task is one model on one frame, so that all threads are busy whatever there is more of, and pair gradients, which
// are summed at once, stay in the cache of a core.
#include "torch/candidates.hpp"

#include <c10/core/GradMode.h>

#include "torch/frames.hpp"

namespace pwmlff {

using at::Tensor;

std::tuple<Tensor, Tensor, Tensor> evaluate_candidates(const std::vector<c10::intrusive_ptr<Model>> &models,
                                                       const Tensor &vectors, const Tensor &start,
                                                       const Tensor &pair_types, const Tensor &atom_types,
                                                       const Tensor &neighbors, const Tensor &frame_start,
                                                       bool with_virials) {
  const c10::NoGradGuard no_gradients;
  const PairTensors tensors(vectors, start, pair_types, atom_types);
  TORCH_CHECK(tensors.vectors.is_cpu(), "evaluate_candidates works on the processor");
  const FrameTensors frames(tensors.start, neighbors, frame_start, tensors.n_pairs());
  const auto n_models = static_cast<std::int64_t>(models.size());
  const std::int64_t n_atoms = tensors.n_atoms(), n_frames = frames.n_frames();
  const auto options = tensors.vectors.options();
  const Tensor energies = at::empty({n_models, n_atoms}, options), forces = at::zeros({n_models, n_atoms, 3}, options);
  const Tensor virials = at::empty({n_models, with_virials ? n_frames : 0, 3, 3}, options);
  double *energy = energies.data_ptr<double>(), *force = forces.data_ptr<double>(),
         *virial = virials.data_ptr<double>();
  const double *vector = tensors.vectors.const_data_ptr<double>();
  const std::int64_t *pair_type = tensors.pair_types.const_data_ptr<std::int64_t>();
  const std::int64_t *atom_type = tensors.atom_types.const_data_ptr<std::int64_t>();
  std::vector<const DeviceEvaluator *> evaluators;
  for (const auto &model : models) evaluators.push_back(&model->on_processor());

  std::vector<std::int64_t> work{0};  // pairs before each task, all models on one frame after the other
  for (std::int64_t task = 0; task < n_frames * n_models; ++task)
    work.push_back(work.back() + frames.frame(task / n_models).n_pairs);
  for_tasks(pair_bounds(work.data(), n_frames * n_models, kPairsPerTask), [&](std::int64_t, std::int64_t begin,
                                                                              std::int64_t end) {
    std::vector<double> gradients;
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t number = task / n_models, model = task % n_models;
      const Frame frame = frames.frame(number);
      const Pairs pairs{vector + 3 * frame.first_pair, frame.start, pair_type + frame.first_pair,
                        atom_type + frame.first_atom};
      gradients.resize(3 * frame.n_pairs);
      const std::int64_t atom = model * n_atoms + frame.first_atom;
      evaluators[model]->evaluate_here(pairs, frame.n_atoms, energy + atom, gradients.data());
      add_forces(frame, gradients.data(), force + 3 * atom);
      if (with_virials)
        write_virial(frame.n_pairs, pairs.vectors, gradients.data(), virial + 9 * (model * n_frames + number));
    }
  });
  return {energies, forces, virials};
}

}  // namespace pwmlff
