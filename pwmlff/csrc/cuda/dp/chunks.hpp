// How the atoms of a batch are cut into chunks that a GPU works off one after another.
#pragma once

#include <cstdint>
#include <vector>

#include "torch/device_evaluator.hpp"

namespace pwmlff::cuda {

// Consecutive atoms and their pairs. Places first_places[t]..first_places[t + 1] hold its atoms of type t.
struct ChunkBounds {
  std::int64_t first_atom, first_pair, n_pairs;
  std::vector<std::int64_t> first_places;  // [T + 1]

  std::int64_t n_atoms() const { return first_places.back() - first_places.front(); }
};

// Bytes that the intermediates of an atom and of a pair take.
struct Footprint {
  std::int64_t atom, pair;
};

struct ChunkPlan {
  at::Tensor atom_of_place, place_of_atom;  // see device.hpp
  std::vector<ChunkBounds> chunks;

  // Chunks of atoms whose intermediates take about `workspace` bytes.
  ChunkPlan(const PairTensors &pairs, std::int64_t n_types, const Footprint &footprint, std::int64_t workspace);
};

}  // namespace pwmlff::cuda
