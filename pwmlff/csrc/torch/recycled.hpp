// Large tensors of one step whose memory the next step uses again: the system would have to clear it anew each time,
// which takes as long as filling it.
#pragma once

#include <ATen/ATen.h>

namespace pwmlff {

// Uninitialised, on the processor. Its memory is kept when the last tensor that uses it is gone.
at::Tensor recycled(at::IntArrayRef sizes, at::ScalarType dtype);

}  // namespace pwmlff
