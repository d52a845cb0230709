// A model ready to be evaluated by tensors of one device; the counterpart of the core's Evaluator.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <tuple>

#include "evaluator.hpp"
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

// The sums of core's Cotangents, and how the atoms are divided into parts that have rows of their own.
struct CotangentTensors {
  at::Tensor part_start;    // [F + 1] int64, atoms of part f are part_start[f]..part_start[f + 1]
  at::Tensor by_energies;   // [K, N] float64
  at::Tensor by_gradients;  // [n_directed, E, 3] float64

  // Throws where shapes, types or devices do not fit each other or the pairs.
  CotangentTensors(const PairTensors &pairs, const at::Tensor &part_start_in, const at::Tensor &by_energies_in,
                   const at::Tensor &by_gradients_in);
};

class DeviceEvaluator {
 public:
  virtual ~DeviceEvaluator() = default;

  // Energies [N] and gradients [E, 3]; adds to overflows [2] int64 on the device: pairs nearer, and beyond.
  virtual std::tuple<at::Tensor, at::Tensor> evaluate(const PairTensors &pairs, const at::Tensor &overflows) const = 0;

  // That of the processor's kernels, for who divides the work among threads himself.
  virtual const Evaluator &of_core() const { TORCH_CHECK(false, "candidates are evaluated on the processor only"); }

  // As `evaluate`, for pairs that will be differentiated; besides what that needs of them, of unspecified form.
  virtual std::tuple<at::Tensor, at::Tensor, at::Tensor> evaluate_keeping(const PairTensors &,
                                                                          const at::Tensor &) const {
    TORCH_CHECK(false, "this model offers no gradients by its weights on this device");
  }

  // Gradients of each part's share of the sums by the weights, [F, K, n_weights] float64.
  virtual at::Tensor differentiate(const PairTensors &, const at::Tensor & /*kept*/, const CotangentTensors &) const {
    TORCH_CHECK(false, "this model offers no gradients by its weights on this device");
  }
};

std::unique_ptr<const DeviceEvaluator> make_processor_evaluator(const StoredModel &model);

}  // namespace pwmlff
