// The schema of torch.ops.pwmlff.embedding_contraction. It has kernels on CUDA; a processor differentiates a model as a
// whole (weight_gradients). A library without CUDA knows the schema too, so that TorchScript can be compiled.
#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def(
      "embedding_contraction(Tensor s, Tensor rows, Tensor start, Tensor parameters, int[] widths, int activation) "
      "-> Tensor");
}
