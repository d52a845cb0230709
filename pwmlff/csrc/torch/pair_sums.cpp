// Sums of pair gradients: torch.ops.pwmlff.pair_forces and pair_virials, see ops/reference/pair_sums.py.
//
// A thread works on whole frames, which share no atom; each sum is in the order of its pairs, as the twins' is.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "torch/frames.hpp"

namespace pwmlff {

namespace {

using at::Tensor;

Tensor pair_forces(const Tensor &gradients_in, const Tensor &start, const Tensor &neighbors_in,
                   const Tensor &frame_start) {
  const Tensor gradients = gradients_in.contiguous();
  check_per_pair(gradients, "gradients");
  const FrameTensors frames(start, neighbors_in, frame_start, gradients.size(0));
  const Tensor forces = at::zeros({frames.n_atoms(), 3}, gradients.options());
  const double *gradient = gradients.const_data_ptr<double>();
  double *out = forces.data_ptr<double>();
  const auto pairs = frames.pair_starts();
  for_tasks(pair_bounds(pairs.data(), frames.n_frames(), kPairsPerTask),
            [&](std::int64_t, std::int64_t begin, std::int64_t end) {
              for (std::int64_t number = begin; number < end; ++number) {
                const Frame frame = frames.frame(number);
                add_forces({frame, 0, frame.n_atoms}, gradient + 3 * frame.first_pair, out + 3 * frame.first_atom);
              }
            });
  return forces;
}

Tensor pair_virials(const Tensor &gradients_in, const Tensor &vectors_in, const Tensor &start,
                    const Tensor &frame_start) {
  const Tensor gradients = gradients_in.contiguous(), vectors = vectors_in.contiguous();
  check_per_pair(gradients, "gradients");
  check_per_pair(vectors, "vectors");
  const FrameTensors frames(start, {}, frame_start, gradients.size(0));
  TORCH_CHECK(vectors.size(0) == gradients.size(0), "pair_virials expects as many vectors as gradients");
  const Tensor virials = at::zeros({frames.n_frames(), 3, 3}, gradients.options());
  const double *gradient = gradients.const_data_ptr<double>(), *vector = vectors.const_data_ptr<double>();
  double *out = virials.data_ptr<double>();
  const auto pairs = frames.pair_starts();
  for_tasks(pair_bounds(pairs.data(), frames.n_frames(), kPairsPerTask), [&](std::int64_t, std::int64_t begin,
                                                                             std::int64_t end) {
    for (std::int64_t number = begin; number < end; ++number) {
      const Frame frame = frames.frame(number);
      add_virial(frame.n_pairs, vector + 3 * frame.first_pair, gradient + 3 * frame.first_pair, out + 9 * number);
    }
  });
  return virials;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def("pair_forces(Tensor gradients, Tensor start, Tensor neighbors, Tensor frame_start) -> Tensor");
  library.def("pair_virials(Tensor gradients, Tensor vectors, Tensor start, Tensor frame_start) -> Tensor");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("pair_forces", pair_forces);
  library.impl("pair_virials", pair_virials);
}

}  // namespace pwmlff
