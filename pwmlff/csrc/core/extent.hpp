// What a stored model has to have in common with what its file says of it.
#pragma once

#include <cstdint>

namespace pwmlff {

struct Extent {
  std::int64_t n_types;
  double reach;  // Å; no pair beyond adds to energies
};

}  // namespace pwmlff
