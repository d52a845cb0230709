// Sends each call of environment.hpp to the kernels of this processor's instruction set.
#include "environment.hpp"

#include "environment_kernels.hpp"
#include "isa.hpp"

namespace pwmlff {

template <typename Real>
void environment_matrix(const EnvironmentPairs &pairs, const EnvironmentValues<Real> &out, std::int64_t first,
                        std::int64_t last) {
  PWMLFF_DISPATCH(environment_matrix, pairs, out, first, last);
}

template <typename Real>
void environment_gradient(const EnvironmentPairs &pairs, const EnvironmentValues<const Real> &by, double *by_vectors,
                          std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(environment_gradient, pairs, by, by_vectors, first, last);
}

template <typename Real>
void environment_double_gradient(const EnvironmentPairs &pairs, const EnvironmentValues<const Real> &by,
                                 const double *directions, const EnvironmentValues<Real> &out, double *by_vectors,
                                 std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(environment_double_gradient, pairs, by, directions, out, by_vectors, first, last);
}

#define PWMLFF_INSTANTIATE(Real)                                                                                      \
  template void environment_matrix<Real>(const EnvironmentPairs &, const EnvironmentValues<Real> &, std::int64_t,     \
                                         std::int64_t);                                                               \
  template void environment_gradient<Real>(const EnvironmentPairs &, const EnvironmentValues<const Real> &, double *, \
                                           std::int64_t, std::int64_t);                                               \
  template void environment_double_gradient<Real>(const EnvironmentPairs &, const EnvironmentValues<const Real> &,    \
                                                  const double *, const EnvironmentValues<Real> &, double *,          \
                                                  std::int64_t, std::int64_t);

PWMLFF_INSTANTIATE(double)
PWMLFF_INSTANTIATE(float)

}  // namespace pwmlff
