// Memory that a thread keeps from call to call.
#pragma once

#include <memory>

namespace pwmlff {

// The thread's T, made at its first use: the kernels of all families, precisions and instruction sets have one each,
// and thread-local objects would take the memory of all of them with the first.
template <typename T>
T &of_thread() {
  static thread_local const std::unique_ptr<T> memory = std::make_unique<T>();
  return *memory;
}

}  // namespace pwmlff
