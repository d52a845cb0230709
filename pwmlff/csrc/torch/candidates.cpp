// A task is one model on one frame, so that all threads are busy whatever there is more of, and pair gradients, which
// are summed at once, stay in the cache of a core. Where the models keep the same of pairs (see core's Evaluator), the
// first of a thread finds it for all of them, some atoms at a time, so that it stays in the cache as well.
#include "torch/candidates.hpp"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

#include "torch/frames.hpp"

namespace pwmlff {

using at::Tensor;

namespace {

constexpr std::int64_t kKeptBytes = 1 << 18;  // leaves room in the outer cache of a core

// What one thread works with.
struct Buffers {
  std::vector<double> gradients;    // [E, 3]
  std::vector<unsigned char> kept;  // [E, kept_size], empty where nothing is shared
};

// Of one model too, so that no number depends on how many are evaluated together.
bool keep_the_same(const std::vector<const Evaluator *> &models) {
  return !models.empty() && std::all_of(models.begin(), models.end(),
                                        [&](const Evaluator *model) { return models.front()->keeps_as(*model); });
}

// The last atom of a part that begins with `first`.
std::int64_t end_of_part(const Frame &frame, std::int64_t first, std::int64_t most_pairs) {
  std::int64_t last = first + 1;
  while (last < frame.n_atoms && frame.start[last + 1] - frame.start[first] <= most_pairs) ++last;
  return last;
}

}  // namespace

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
  const Tensor virials = at::zeros({n_models, with_virials ? n_frames : 0, 3, 3}, options);
  double *energy = energies.data_ptr<double>(), *force = forces.data_ptr<double>(),
         *virial = virials.data_ptr<double>();
  const double *vector = tensors.vectors.const_data_ptr<double>();
  const std::int64_t *pair_type = tensors.pair_types.const_data_ptr<std::int64_t>();
  const std::int64_t *atom_type = tensors.atom_types.const_data_ptr<std::int64_t>();
  std::vector<const Evaluator *> evaluators;
  for (const auto &model : models) evaluators.push_back(&model->on_processor());
  const std::int64_t kept_size = keep_the_same(evaluators) ? evaluators.front()->kept_size() : 0;

  // models begin..end on one frame
  const auto evaluate = [&](std::int64_t number, std::int64_t begin, std::int64_t end, Buffers &buffers) {
    const Frame frame = frames.frame(number);
    std::int64_t last = 0;
    for (std::int64_t first = 0; first < frame.n_atoms; first = last) {
      last = kept_size > 0 ? end_of_part(frame, first, kKeptBytes / kept_size) : frame.n_atoms;
      const FramePart part(frame, first, last);
      const Pairs pairs{vector + 3 * part.first_pair, part.start(), pair_type + part.first_pair,
                        atom_type + frame.first_atom + first};
      buffers.gradients.resize(3 * part.n_pairs());
      buffers.kept.resize(part.n_pairs() * kept_size);
      unsigned char *kept = kept_size > 0 ? buffers.kept.data() : nullptr;
      double *gradients = buffers.gradients.data();
      for (std::int64_t model = begin; model < end; ++model) {
        double *energies_out = energy + model * n_atoms + frame.first_atom + first;
        if (kept_size > 0 && model > begin)
          evaluators[model]->evaluate_kept(pairs, energies_out, gradients, kept, 0, part.n_atoms);
        else
          evaluators[model]->evaluate(pairs, energies_out, gradients, kept, 0, part.n_atoms);
        add_forces(part, gradients, force + 3 * (model * n_atoms + frame.first_atom));
        if (with_virials)
          add_virial(part.n_pairs(), pairs.vectors, gradients, virial + 9 * (model * n_frames + number));
      }
    }
  };

  std::vector<std::int64_t> work{0};  // pairs before each task, all models on one frame after the other
  for (std::int64_t task = 0; task < n_frames * n_models; ++task)
    work.push_back(work.back() + frames.frame(task / n_models).n_pairs);
  for_tasks(pair_bounds(work.data(), n_frames * n_models, kPairsPerTask),
            [&](std::int64_t, std::int64_t begin, std::int64_t end) {
              Buffers buffers;
              for (std::int64_t task = begin; task < end;) {
                const std::int64_t number = task / n_models, next = std::min(end, (number + 1) * n_models);
                evaluate(number, task - number * n_models, next - number * n_models, buffers);
                task = next;
              }
            });
  return {energies, forces, virials};
}

}  // namespace pwmlff
