#include "torch/model.hpp"

#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/library.h>

#include <utility>
#include <vector>

#include "families.hpp"
#include "torch/candidates.hpp"

#ifdef PWMLFF_WITH_CUDA
#include "cuda/families.hpp"
#endif

namespace pwmlff {

namespace {

NamedTensors copies(const NamedTensors &tensors) {
  NamedTensors result;
  for (const auto &entry : tensors)
    result.insert(entry.key(), entry.value().detach().to(at::kCPU).clone(at::MemoryFormat::Contiguous));
  return result;
}

NamedTensors copies(const StoredModel &stored) {
  NamedTensors result;
  for (const auto &[name, array] : stored.arrays) result.insert(name, tensor_of(array));
  return result;
}

std::unique_ptr<const DeviceEvaluator> make_device_evaluator(const StoredModel &model, at::Device device) {
  if (device.is_cpu()) return make_processor_evaluator(model);
#ifdef PWMLFF_WITH_CUDA
  if (device.is_cuda()) return cuda::make_evaluator(model, device);
#endif
  TORCH_CHECK(false, "this pwmlff has no kernels for the device ", device);
}

}  // namespace

// The processor's evaluator is made at once: it checks the arrays.
Model::Model(std::string family, const NamedTensors &arrays) : family_(std::move(family)), arrays_(copies(arrays)) {
  on_device(at::kCPU);
}

Model::Model(const StoredModel &stored) : family_(stored.family), arrays_(copies(stored)) {
  on_device(at::kCPU);
}

const Model::OnDevice &Model::on_device(at::Device device) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto entry = devices_.find(device.str());
  if (entry != devices_.end()) return entry->second;
  OnDevice made{make_device_evaluator(stored_model(family_, arrays_), device),
                at::zeros({2}, at::dtype(at::kLong).device(device))};
  return devices_.emplace(device.str(), std::move(made)).first->second;
}

std::tuple<at::Tensor, at::Tensor> Model::evaluate(const at::Tensor &vectors, const at::Tensor &start,
                                                   const at::Tensor &pair_types, const at::Tensor &atom_types) {
  const c10::NoGradGuard no_gradients;
  const c10::OptionalDeviceGuard guard(at::device_of(vectors));
  const PairTensors pairs(vectors, start, pair_types, atom_types);
  const OnDevice &here = on_device(vectors.device());
  return here.evaluator->evaluate(pairs, here.overflows);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> Model::evaluate_keeping(const at::Tensor &vectors,
                                                                       const at::Tensor &start,
                                                                       const at::Tensor &pair_types,
                                                                       const at::Tensor &atom_types) {
  const c10::NoGradGuard no_gradients;
  const c10::OptionalDeviceGuard guard(at::device_of(vectors));
  const PairTensors pairs(vectors, start, pair_types, atom_types);
  const OnDevice &here = on_device(vectors.device());
  return here.evaluator->evaluate_keeping(pairs, here.overflows);
}

at::Tensor Model::weight_gradients(const at::Tensor &vectors, const at::Tensor &start, const at::Tensor &pair_types,
                                   const at::Tensor &atom_types, const at::Tensor &kept, const at::Tensor &part_start,
                                   const at::Tensor &by_energies, const at::Tensor &by_gradients) {
  const c10::NoGradGuard no_gradients;
  const c10::OptionalDeviceGuard guard(at::device_of(vectors));
  const PairTensors pairs(vectors, start, pair_types, atom_types);
  const CotangentTensors cotangents(pairs, part_start, by_energies, by_gradients);
  return on_device(vectors.device()).evaluator->differentiate(pairs, kept, cotangents);
}

Extent Model::extent() const {
  return pwmlff::extent(stored_model(family_, arrays_));
}

Overflows Model::overflows() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  Overflows sum;
  for (const auto &[name, here] : devices_) {
    const at::Tensor counts = here.overflows.cpu();
    sum += {counts.const_data_ptr<std::int64_t>()[0], counts.const_data_ptr<std::int64_t>()[1]};
  }
  return sum;
}

namespace {

using Handle = c10::intrusive_ptr<Model>;
using State = std::tuple<std::string, NamedTensors>;

std::tuple<at::Tensor, at::Tensor> evaluate(const Handle &model, const at::Tensor &vectors, const at::Tensor &start,
                                            const at::Tensor &pair_types, const at::Tensor &atom_types) {
  return model->evaluate(vectors, start, pair_types, atom_types);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> evaluate_keeping(const Handle &model, const at::Tensor &vectors,
                                                                const at::Tensor &start, const at::Tensor &pair_types,
                                                                const at::Tensor &atom_types) {
  return model->evaluate_keeping(vectors, start, pair_types, atom_types);
}

at::Tensor weight_gradients(const Handle &model, const at::Tensor &vectors, const at::Tensor &start,
                            const at::Tensor &pair_types, const at::Tensor &atom_types, const at::Tensor &kept,
                            const at::Tensor &part_start, const at::Tensor &by_energies,
                            const at::Tensor &by_gradients) {
  return model->weight_gradients(vectors, start, pair_types, atom_types, kept, part_start, by_energies, by_gradients);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  // the class first: the schema below names it
  library.class_<Model>("Model")
      .def(torch::init<std::string, const NamedTensors &>())
      .def("family", [](const Handle &self) { return self->family(); })
      .def("arrays", [](const Handle &self) { return self->arrays(); })
      .def("extent",
           [](const Handle &self) {
             const Extent extent = self->extent();
             return std::make_tuple(extent.n_types, extent.reach);
           })
      .def("overflows",
           [](const Handle &self) {
             const Overflows counts = self->overflows();
             return std::vector<std::int64_t>{counts.nearer, counts.beyond};
           })
      .def_pickle(
          [](const Handle &self) -> State { return {self->family(), self->arrays()}; },
          [](const State &state) { return c10::make_intrusive<Model>(std::get<0>(state), std::get<1>(state)); });
  library.def(
      "evaluate(__torch__.torch.classes.pwmlff.Model model, Tensor vectors, Tensor start, Tensor pair_types, "
      "Tensor atom_types) -> (Tensor, Tensor)");
  library.def(
      "evaluate_keeping(__torch__.torch.classes.pwmlff.Model model, Tensor vectors, Tensor start, Tensor pair_types, "
      "Tensor atom_types) -> (Tensor, Tensor, Tensor)");
  library.def(
      "weight_gradients(__torch__.torch.classes.pwmlff.Model model, Tensor vectors, Tensor start, Tensor pair_types, "
      "Tensor atom_types, Tensor kept, Tensor part_start, Tensor by_energies, Tensor by_gradients) -> Tensor");
  library.def(
      "evaluate_candidates(__torch__.torch.classes.pwmlff.Model[] models, Tensor vectors, Tensor start, "
      "Tensor pair_types, Tensor atom_types, Tensor neighbors, Tensor frame_start, bool with_virials) -> "
      "(Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(pwmlff, CPU, library) {
  library.impl("evaluate", evaluate);
  library.impl("evaluate_keeping", evaluate_keeping);
  library.impl("weight_gradients", weight_gradients);
  library.impl("evaluate_candidates", evaluate_candidates);
}

#ifdef PWMLFF_WITH_CUDA
TORCH_LIBRARY_IMPL(pwmlff, CUDA, library) {
  library.impl("evaluate", evaluate);
  library.impl("evaluate_keeping", evaluate_keeping);
  library.impl("weight_gradients", weight_gradients);
}
#endif

}  // namespace pwmlff
