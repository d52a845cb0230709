#include "torch/recycled.hpp"

#include <c10/util/accumulate.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace pwmlff {

namespace {

constexpr std::size_t kMostSpares = 2;  // of a step: what an evaluation keeps, and rows of gradients

// Blocks of bytes that nobody uses, the largest first.
class Spares {
 public:
  at::Tensor take(std::int64_t n_bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block)
      if (block->numel() >= n_bytes) {
        const at::Tensor found = *block;
        blocks_.erase(std::next(block).base());
        return found;
      }
    return at::empty({n_bytes}, at::kByte);
  }

  void give_back(at::Tensor block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto smaller = [](const at::Tensor &a, const at::Tensor &b) { return a.numel() > b.numel(); };
    blocks_.insert(std::upper_bound(blocks_.begin(), blocks_.end(), block, smaller), std::move(block));
    if (blocks_.size() > kMostSpares) blocks_.pop_back();
  }

 private:
  std::mutex mutex_;
  std::vector<at::Tensor> blocks_;
};

}  // namespace

at::Tensor recycled(at::IntArrayRef sizes, at::ScalarType dtype) {
  static Spares &spares = *new Spares;  // never destroyed: tensors may outlive what is
  at::Tensor block = spares.take(c10::multiply_integers(sizes) * static_cast<std::int64_t>(at::elementSize(dtype)));
  void *memory = block.data_ptr();
  return at::from_blob(memory, sizes, [block](void *) { spares.give_back(block); }, dtype);
}

}  // namespace pwmlff
