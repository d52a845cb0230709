// The arguments of dp_evaluate on a GPU, see ops/reference.py, and how its atoms are cut into chunks.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "../torch/dp_model.hpp"

namespace pwmlff::cuda {

struct DpArguments : DpTensors {
  at::Tensor vectors, start, pair_types, atom_types, overflows;

  std::int64_t n_atoms() const { return atom_types.size(0); }
  std::int64_t n_pairs() const { return vectors.size(0); }

  // Shapes, types and devices; kernels and views rely on them.
  void check() const;
};

// Consecutive atoms and their pairs. Places first_places[t]..first_places[t + 1] hold its atoms of type t.
struct ChunkBounds {
  std::int64_t first_atom, first_pair, n_pairs;
  std::vector<std::int64_t> first_places;  // [T + 1]

  std::int64_t n_atoms() const { return first_places.back() - first_places.front(); }
};

struct ChunkPlan {
  at::Tensor atom_of_place, place_of_atom;  // see dp_device.hpp
  at::Tensor first_interval;                // of each table
  std::vector<ChunkBounds> chunks;

  // Chunks of atoms whose intermediates take about `workspace` bytes.
  ChunkPlan(const DpArguments &arguments, std::int64_t workspace);
};

}  // namespace pwmlff::cuda
