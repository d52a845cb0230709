// The functions of chebyshev.hpp for vectors of pairs.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <cstdint>

#include "gemm.hpp"
#include "nep/chebyshev.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real, std::int64_t lanes>
using CosineCutoff = nep::CosineCutoff<Real, typename VectorOf<Real, lanes>::value>;

template <typename Real, std::int64_t lanes>
using BasisFunctions = nep::BasisFunctions<Real, typename VectorOf<Real, lanes>::value>;

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
