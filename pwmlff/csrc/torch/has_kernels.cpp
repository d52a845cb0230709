// What this library has kernels for: torch.ops.pwmlff.has_kernels of the device of a tensor, has_family of a model.
//
// An exported model asks when it runs: it may have been written where the library was built otherwise.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "families.hpp"

namespace {

bool has_kernels(const at::Tensor &tensor) {
#ifdef PWMLFF_WITH_CUDA
  return tensor.is_cpu() || tensor.is_cuda();
#else
  return tensor.is_cpu();
#endif
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def("has_kernels(Tensor tensor) -> bool", &has_kernels);
  library.def("has_family(str name) -> bool", [](const std::string &name) { return pwmlff::has_family(name); });
}
