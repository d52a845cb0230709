// torch.classes.pwmlff.Model: a stored model of any family, ready to be evaluated on any device with kernels.
//
// Also the entry for C++: c10::make_intrusive<Model>(stored)->evaluate(...) needs neither Python nor TorchScript.
#pragma once

#include <torch/custom_class.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "evaluator.hpp"
#include "extent.hpp"
#include "torch/device_evaluator.hpp"
#include "torch/stored_tensors.hpp"

namespace pwmlff {

// Weights are copied when it is made, and never change.
class __attribute__((visibility("default"))) Model : public torch::CustomClassHolder {
 public:
  // Both throw std::runtime_error or c10::Error with one line where the family is unknown or an array does not fit.
  Model(std::string family, const NamedTensors &arrays);
  explicit Model(const StoredModel &stored);

  const std::string &family() const { return family_; }
  NamedTensors arrays() const { return arrays_.copy(); }  // in the order in which they came

  // Atomic energies [N] (eV) and their derivatives by pair vector [E, 3] (eV/Å), on the device of the arguments, which
  // are those of PairTensors. Not recorded for derivatives.
  std::tuple<at::Tensor, at::Tensor> evaluate(const at::Tensor &vectors, const at::Tensor &start,
                                              const at::Tensor &pair_types, const at::Tensor &atom_types);

  // The same, and what weight_gradients needs of these pairs.
  std::tuple<at::Tensor, at::Tensor, at::Tensor> evaluate_keeping(const at::Tensor &vectors, const at::Tensor &start,
                                                                  const at::Tensor &pair_types,
                                                                  const at::Tensor &atom_types);

  // Gradients by the weights, [F, K, n_weights] float64; arguments as in PairTensors and CotangentTensors.
  at::Tensor weight_gradients(const at::Tensor &vectors, const at::Tensor &start, const at::Tensor &pair_types,
                              const at::Tensor &atom_types, const at::Tensor &kept, const at::Tensor &part_start,
                              const at::Tensor &by_energies, const at::Tensor &by_gradients);

  // On the processor, for operations on several models. Pairs that it was not made for are not counted.
  const Evaluator &on_processor() { return on_device(at::kCPU).evaluator->of_core(); }

  Extent extent() const;

  // Since it was made, on all devices; waits for them.
  Overflows overflows() const;

 private:
  struct OnDevice {
    std::unique_ptr<const DeviceEvaluator> evaluator;
    at::Tensor overflows;  // [2] int64
  };

  const OnDevice &on_device(at::Device device);

  std::string family_;
  NamedTensors arrays_;
  mutable std::mutex mutex_;
  std::map<std::string, OnDevice> devices_;  // by name, made when first needed
};

}  // namespace pwmlff
