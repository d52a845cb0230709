// The functions of embedding.hpp once per instruction set, one namespace each.
#pragma once

#include "embedding.hpp"

#define PWMLFF_DECLARE_EMBEDDING(isa)                                                                                  \
  namespace pwmlff::isa {                                                                                              \
  template <typename Real>                                                                                             \
  void embedding_contract(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, Real *sums, std::int64_t first, \
                          std::int64_t last);                                                                          \
  template <typename Real>                                                                                             \
  void embedding_backward(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, const Real *sums_gradient,      \
                          const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last);                 \
  template <typename Real>                                                                                             \
  void embedding_double_backward(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs,                          \
                                 const Real *sums_gradient, const Real *s_direction, const Real *rows_direction,       \
                                 const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last);          \
  }

#if defined(__x86_64__)
PWMLFF_DECLARE_EMBEDDING(v2)
PWMLFF_DECLARE_EMBEDDING(v3)
PWMLFF_DECLARE_EMBEDDING(v4)
#else
PWMLFF_DECLARE_EMBEDDING(generic)
#endif
