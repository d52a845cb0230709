// A model ready to be evaluated by tensors of one device; the counterpart of the core's Evaluator.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <tuple>

#include "stored_model.hpp"

namespace pwmlff {

// What every model is given, see pairs.hpp; contiguous, on one device.
struct PairTensors {
  at::Tensor vectors;     // [E, 3] float64
  at::Tensor start;       // [N + 1] int64
  at::Tensor pair_types;  // [E] int64
  at::Tensor atom_types;  // [N] int64

  // Throws where shapes, types or devices do not fit each other.
  PairTensors(const at::Tensor &vectors_in, const at::Tensor &start_in, const at::Tensor &pair_types_in,
              const at::Tensor &atom_types_in);

  std::int64_t n_atoms() const { return atom_types.size(0); }
  std::int64_t n_pairs() const { return vectors.size(0); }
};

class DeviceEvaluator {
 public:
  virtual ~DeviceEvaluator() = default;

  // Energies [N] and gradients [E, 3]; adds to overflows [2] int64 on the device: pairs nearer, and beyond.
  virtual std::tuple<at::Tensor, at::Tensor> evaluate(const PairTensors &pairs, const at::Tensor &overflows) const = 0;
};

std::unique_ptr<const DeviceEvaluator> make_processor_evaluator(const StoredModel &model);

}  // namespace pwmlff
