// Atoms of one type, gathered to chunks: what is fetched for the type then serves many of them.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>
#include <vector>

#include "pairs.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// Puts the atoms of the type among first..last into `atoms`, at most so many at a time, and calls `compute` for each
// chunk; `atoms` is empty afterwards.
template <typename Compute>
void for_chunks(const Pairs &pairs, std::int64_t type, std::int64_t first, std::int64_t last, std::int64_t most,
                std::vector<std::int64_t> &atoms, const Compute &compute) {
  atoms.clear();
  const auto finish = [&] {
    if (atoms.empty()) return;
    compute();
    atoms.clear();
  };
  for (std::int64_t i = first; i < last; ++i) {
    if (pairs.atom_types[i] != type) continue;
    atoms.push_back(i);
    if (static_cast<std::int64_t>(atoms.size()) == most) finish();
  }
  finish();
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
