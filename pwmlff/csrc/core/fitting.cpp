// Sends each call of fitting.hpp to the kernels of this processor's instruction set.
#include "fitting.hpp"

#include "fitting_kernels.hpp"
#include "isa.hpp"

namespace pwmlff {

template <typename Real>
void fitting_energies(const FittingNet<Real> &net, Real *energies, std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(fitting_energies, net, energies, first, last);
}

template <typename Real>
void fitting_backward(const FittingNet<Real> &net, const Real *factors, const FittingGradients<Real> &out,
                      std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(fitting_backward, net, factors, out, first, last);
}

template <typename Real>
void fitting_double_backward(const FittingNet<Real> &net, const Real *factors, const Real *directions,
                             const FittingGradients<Real> &out, std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(fitting_double_backward, net, factors, directions, out, first, last);
}

#define PWMLFF_INSTANTIATE(Real)                                                                               \
  template void fitting_energies<Real>(const FittingNet<Real> &, Real *, std::int64_t, std::int64_t);          \
  template void fitting_backward<Real>(const FittingNet<Real> &, const Real *, const FittingGradients<Real> &, \
                                       std::int64_t, std::int64_t);                                            \
  template void fitting_double_backward<Real>(const FittingNet<Real> &, const Real *, const Real *,            \
                                              const FittingGradients<Real> &, std::int64_t, std::int64_t);

PWMLFF_INSTANTIATE(double)
PWMLFF_INSTANTIATE(float)

}  // namespace pwmlff
