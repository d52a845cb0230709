// Batches frame by frame, and the sums over the pairs of a frame, which one thread makes in the order of the pairs.
//
// Letters: F frames, N atoms, E pairs.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "torch/tasks.hpp"

namespace pwmlff {

struct Frame {
  std::int64_t first_atom, n_atoms, first_pair, n_pairs;
  const std::int64_t *start;      // [n_atoms + 1] of its pairs, from 0
  const std::int64_t *neighbors;  // [n_pairs], atoms of the frame, from 0; null where they are not known
};

// The offsets of a batch, and those within each frame.
class FrameTensors {
 public:
  // Of pairs [N + 1] and frames [F + 1], neighbours [E] or undefined. Throws where they do not fit each other.
  FrameTensors(const at::Tensor &start, const at::Tensor &neighbors, const at::Tensor &frame_start,
               std::int64_t n_pairs) {
    for (const at::Tensor &tensor : {start, frame_start})
      TORCH_CHECK(tensor.dim() == 1 && tensor.size(0) > 0 && tensor.scalar_type() == at::kLong,
                  "expected offsets of pairs [N + 1] and frames [F + 1] of int64, got ", tensor.sizes(), " of ",
                  tensor.scalar_type());
    const at::Tensor pairs = start.contiguous(), atoms = frame_start.contiguous();
    const std::int64_t *pair = pairs.const_data_ptr<std::int64_t>(), *atom = atoms.const_data_ptr<std::int64_t>();
    n_atoms_ = pairs.size(0) - 1;
    const std::int64_t n_frames = atoms.size(0) - 1;
    TORCH_CHECK(pair[0] == 0 && pair[n_atoms_] == n_pairs && std::is_sorted(pair, pair + n_atoms_ + 1) &&
                    atom[0] == 0 && atom[n_frames] == n_atoms_ && std::is_sorted(atom, atom + n_frames + 1),
                "offsets must run from 0 to the ", n_pairs, " pairs and ", n_atoms_, " atoms");
    starts_.reserve(n_atoms_ + n_frames);
    for (std::int64_t number = 0; number < n_frames; ++number) {
      const std::int64_t first = pair[atom[number]], last = pair[atom[number + 1]];
      frames_.push_back({atom[number], atom[number + 1] - atom[number], first, last - first, nullptr, nullptr});
      for (std::int64_t n = atom[number]; n <= atom[number + 1]; ++n) starts_.push_back(pair[n] - first);
    }
    if (neighbors.defined()) take_neighbors(neighbors, n_pairs);
  }

  std::int64_t n_atoms() const { return n_atoms_; }
  std::int64_t n_frames() const { return static_cast<std::int64_t>(frames_.size()); }

  Frame frame(std::int64_t number) const {
    Frame frame = frames_[number];
    frame.start = starts_.data() + frame.first_atom + number;
    if (!neighbors_.empty()) frame.neighbors = neighbors_.data() + frame.first_pair;
    return frame;
  }

  // [F + 1], pairs before each frame.
  std::vector<std::int64_t> pair_starts() const {
    std::vector<std::int64_t> starts{0};
    for (const Frame &frame : frames_) starts.push_back(frame.first_pair + frame.n_pairs);
    return starts;
  }

 private:
  void take_neighbors(const at::Tensor &given, std::int64_t n_pairs) {
    TORCH_CHECK(given.dim() == 1 && given.size(0) == n_pairs && given.scalar_type() == at::kLong,
                "expected neighbours [", n_pairs, "] of int64, got ", given.sizes(), " of ", given.scalar_type());
    const at::Tensor contiguous = given.contiguous();
    const std::int64_t *neighbor = contiguous.const_data_ptr<std::int64_t>();
    neighbors_.resize(n_pairs);
    for (const Frame &frame : frames_)
      for (std::int64_t pair = frame.first_pair; pair < frame.first_pair + frame.n_pairs; ++pair) {
        neighbors_[pair] = neighbor[pair] - frame.first_atom;
        TORCH_CHECK(neighbors_[pair] >= 0 && neighbors_[pair] < frame.n_atoms, "the neighbour of pair ", pair,
                    " is an atom of another frame");
      }
  }

  std::int64_t n_atoms_ = 0;
  std::vector<Frame> frames_;
  std::vector<std::int64_t> starts_;     // [N + F]
  std::vector<std::int64_t> neighbors_;  // [E]
};

inline void check_per_pair(const at::Tensor &tensor, const char *name) {
  TORCH_CHECK(tensor.dim() == 2 && tensor.size(1) == 3 && tensor.scalar_type() == at::kDouble, "expected pair ", name,
              " [E, 3] of float64, got ", tensor.sizes(), " of ", tensor.scalar_type());
}

// Some atoms of a frame one after the other, with their pairs.
class FramePart {
 public:
  FramePart(const Frame &frame, std::int64_t first, std::int64_t last)
      : first(first),
        n_atoms(last - first),
        first_pair(frame.first_pair + frame.start[first]),
        neighbors(frame.neighbors + frame.start[first]) {
    for (std::int64_t atom = first; atom <= last; ++atom) start_.push_back(frame.start[atom] - frame.start[first]);
  }

  const std::int64_t first, n_atoms;  // atom of the frame, and how many
  const std::int64_t first_pair;      // of the batch
  const std::int64_t *const neighbors;

  const std::int64_t *start() const { return start_.data(); }  // [n_atoms + 1], from 0
  std::int64_t n_pairs() const { return start_.back(); }

 private:
  std::vector<std::int64_t> start_;
};

// Adds the forces of pairs to those of the frame, [n_atoms, 3]: F_i += g_ij of all, then F_j -= g_ij.
inline void add_forces(const FramePart &part, const double *gradients, double *forces) {
  for (std::int64_t atom = 0; atom < part.n_atoms; ++atom)
    for (std::int64_t pair = part.start()[atom]; pair < part.start()[atom + 1]; ++pair)
      for (int a = 0; a < 3; ++a) forces[3 * (part.first + atom) + a] += gradients[3 * pair + a];
  for (std::int64_t pair = 0; pair < part.n_pairs(); ++pair)
    for (int a = 0; a < 3; ++a) forces[3 * part.neighbors[pair] + a] -= gradients[3 * pair + a];
}

// Adds to W = -sum r_ij (x) g_ij, [3, 3].
inline void add_virial(std::int64_t n_pairs, const double *vectors, const double *gradients, double *virial) {
  double sums[9] = {};
  for (std::int64_t pair = 0; pair < n_pairs; ++pair)
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b) sums[3 * a + b] -= vectors[3 * pair + a] * gradients[3 * pair + b];
  for (int ab = 0; ab < 9; ++ab) virial[ab] += sums[ab];
}

}  // namespace pwmlff
