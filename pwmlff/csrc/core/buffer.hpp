// Memory for blocks of numbers, kept by a thread between calls: giving it back and asking for it anew at every call
// would cost more time than the products.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>
#include <new>
#include <vector>

namespace pwmlff::PWMLFF_ISA {

namespace {

// Memory that begins at a cache line: whole vectors do not straddle two.
template <typename Number>
struct AlignedAllocator {
  using value_type = Number;
  static constexpr std::align_val_t kAlignment{64};

  AlignedAllocator() = default;
  template <typename Other>
  AlignedAllocator(const AlignedAllocator<Other> &) {}
  Number *allocate(std::size_t n) { return static_cast<Number *>(::operator new(n * sizeof(Number), kAlignment)); }
  void deallocate(Number *memory, std::size_t) { ::operator delete(memory, kAlignment); }
  friend bool operator==(const AlignedAllocator &, const AlignedAllocator &) { return true; }
  friend bool operator!=(const AlignedAllocator &, const AlignedAllocator &) { return false; }
};

template <typename Number>
using Buffer = std::vector<Number, AlignedAllocator<Number>>;

// Makes room for so many numbers.
template <typename Number>
void provide(Buffer<Number> &buffer, std::int64_t size) {
  if (static_cast<std::int64_t>(buffer.size()) < size) buffer.resize(size);
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
