// Where work is queued.
#pragma once

#include <cuda_runtime_api.h>

namespace pwmlff::cuda {

// The stream on which ATen queues its work on the current device.
cudaStream_t current_stream();

}  // namespace pwmlff::cuda
