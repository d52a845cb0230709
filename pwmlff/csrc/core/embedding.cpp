// Sends each call of embedding.hpp to the kernels of this processor's instruction set.
#include "embedding.hpp"

#include "embedding_kernels.hpp"
#include "isa.hpp"

namespace pwmlff {

template <typename Real>
void embedding_contract(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, Real *sums, std::int64_t first,
                        std::int64_t last) {
  PWMLFF_DISPATCH(embedding_contract, net, pairs, sums, first, last);
}

template <typename Real>
void embedding_backward(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, const Real *sums_gradient,
                        const EmbeddingGradients<Real> &out, std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(embedding_backward, net, pairs, sums_gradient, out, first, last);
}

template <typename Real>
void embedding_double_backward(const NetView<Real> &net, const EmbeddingPairs<Real> &pairs, const Real *sums_gradient,
                               const Real *s_direction, const Real *rows_direction, const EmbeddingGradients<Real> &out,
                               std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(embedding_double_backward, net, pairs, sums_gradient, s_direction, rows_direction, out, first, last);
}

#define PWMLFF_INSTANTIATE(Real)                                                                                    \
  template void embedding_contract<Real>(const NetView<Real> &, const EmbeddingPairs<Real> &, Real *, std::int64_t, \
                                         std::int64_t);                                                             \
  template void embedding_backward<Real>(const NetView<Real> &, const EmbeddingPairs<Real> &, const Real *,         \
                                         const EmbeddingGradients<Real> &, std::int64_t, std::int64_t);             \
  template void embedding_double_backward<Real>(const NetView<Real> &, const EmbeddingPairs<Real> &, const Real *,  \
                                                const Real *, const Real *, const EmbeddingGradients<Real> &,       \
                                                std::int64_t, std::int64_t);

PWMLFF_INSTANTIATE(double)
PWMLFF_INSTANTIATE(float)

}  // namespace pwmlff
