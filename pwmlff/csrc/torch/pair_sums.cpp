// Sums of pair gradients: torch.ops.pwmlff.pair_forces and pair_virials, see ops/reference/pair_sums.py.
//
// A thread works on whole frames, which share no atom; each sum is in the order of its pairs, as the twins' is.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "torch/tasks.hpp"

namespace pwmlff {

namespace {

using at::Tensor;

constexpr std::int64_t kPairsPerTask = 4096;

struct Offsets {
  Offsets(const Tensor &start_in, const Tensor &frame_start_in, const Tensor &gradients)
      : start(start_in.contiguous()), frame_start(frame_start_in.contiguous()) {
    for (const Tensor &tensor : {start, frame_start})
      TORCH_CHECK(tensor.dim() == 1 && tensor.size(0) > 0 && tensor.scalar_type() == at::kLong,
                  "expected offsets of pairs [N + 1] and frames [F + 1] of int64, got ", tensor.sizes(), " of ",
                  tensor.scalar_type());
    TORCH_CHECK(gradients.dim() == 2 && gradients.size(1) == 3 && gradients.scalar_type() == at::kDouble,
                "expected pair gradients [E, 3] of float64, got ", gradients.sizes(), " of ", gradients.scalar_type());
    const std::int64_t *pairs = start.const_data_ptr<std::int64_t>();
    const std::int64_t *atoms = frame_start.const_data_ptr<std::int64_t>();
    n_atoms = start.size(0) - 1;
    n_frames = frame_start.size(0) - 1;
    TORCH_CHECK(pairs[0] == 0 && pairs[n_atoms] == gradients.size(0) && std::is_sorted(pairs, pairs + n_atoms + 1) &&
                    atoms[0] == 0 && atoms[n_frames] == n_atoms && std::is_sorted(atoms, atoms + n_frames + 1),
                "offsets must run from 0 to the ", gradients.size(0), " pairs and ", n_atoms, " atoms");
  }

  // Runs work(frame, first atom, end, first pair, end) for each frame, in parallel.
  template <typename Work>
  void for_frames(Work work) const {
    const std::int64_t *pairs = start.const_data_ptr<std::int64_t>();
    const std::int64_t *atoms = frame_start.const_data_ptr<std::int64_t>();
    std::vector<std::int64_t> pair_starts(n_frames + 1);
    for (std::int64_t frame = 0; frame <= n_frames; ++frame) pair_starts[frame] = pairs[atoms[frame]];
    for_tasks(pair_bounds(pair_starts.data(), n_frames, kPairsPerTask),
              [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                for (std::int64_t frame = begin; frame < end; ++frame)
                  work(frame, atoms[frame], atoms[frame + 1], pair_starts[frame], pair_starts[frame + 1]);
              });
  }

  Tensor start, frame_start;
  std::int64_t n_atoms = 0, n_frames = 0;
};

Tensor pair_forces(const Tensor &gradients_in, const Tensor &start, const Tensor &neighbors_in,
                   const Tensor &frame_start) {
  const Tensor gradients = gradients_in.contiguous(), neighbors = neighbors_in.contiguous();
  const Offsets offsets(start, frame_start, gradients);
  TORCH_CHECK(neighbors.dim() == 1 && neighbors.size(0) == gradients.size(0) && neighbors.scalar_type() == at::kLong,
              "pair_forces expects neighbours [E] of int64, got ", neighbors.sizes(), " of ", neighbors.scalar_type());
  const Tensor forces = at::zeros({offsets.n_atoms, 3}, gradients.options());
  const std::int64_t *pairs = offsets.start.const_data_ptr<std::int64_t>();
  const std::int64_t *other = neighbors.const_data_ptr<std::int64_t>();
  const double *gradient = gradients.const_data_ptr<double>();
  double *out = forces.data_ptr<double>();
  std::atomic<bool> is_inside{true};
  offsets.for_frames([&](std::int64_t, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
    for (std::int64_t atom = first; atom < last; ++atom)
      for (std::int64_t pair = pairs[atom]; pair < pairs[atom + 1]; ++pair)
        for (int a = 0; a < 3; ++a) out[3 * atom + a] += gradient[3 * pair + a];
    for (std::int64_t pair = begin; pair < end; ++pair) {
      if (other[pair] < first || other[pair] >= last) {
        is_inside = false;
        return;
      }
      for (int a = 0; a < 3; ++a) out[3 * other[pair] + a] -= gradient[3 * pair + a];
    }
  });
  TORCH_CHECK(is_inside, "pair_forces: a neighbour is an atom of another frame");
  return forces;
}

Tensor pair_virials(const Tensor &gradients_in, const Tensor &vectors_in, const Tensor &start,
                    const Tensor &frame_start) {
  const Tensor gradients = gradients_in.contiguous(), vectors = vectors_in.contiguous();
  const Offsets offsets(start, frame_start, gradients);
  TORCH_CHECK(vectors.sizes() == gradients.sizes() && vectors.scalar_type() == at::kDouble,
              "pair_virials expects pair vectors [E, 3] of float64, got ", vectors.sizes(), " of ",
              vectors.scalar_type());
  const Tensor virials = at::zeros({offsets.n_frames, 3, 3}, gradients.options());
  const double *gradient = gradients.const_data_ptr<double>(), *vector = vectors.const_data_ptr<double>();
  double *out = virials.data_ptr<double>();
  offsets.for_frames([&](std::int64_t frame, std::int64_t, std::int64_t, std::int64_t begin, std::int64_t end) {
    double sums[9] = {};
    for (std::int64_t pair = begin; pair < end; ++pair)
      for (int a = 0; a < 3; ++a)
        for (int b = 0; b < 3; ++b) sums[3 * a + b] -= vector[3 * pair + a] * gradient[3 * pair + b];
    std::copy(sums, sums + 9, out + 9 * frame);
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
