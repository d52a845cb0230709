// torch.ops.pwmlff.has_kernels: whether dp_evaluate and embedding_contraction have kernels for the device of a tensor.
//
// An exported model asks when it runs: it may have been written where the library was built otherwise.
#include <ATen/ATen.h>
#include <torch/library.h>

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
}
