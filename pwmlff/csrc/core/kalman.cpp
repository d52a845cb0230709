// Sends each call of kalman.hpp to the kernels of this processor's instruction set.
#include "kalman.hpp"

#include "isa.hpp"
#include "kalman_kernels.hpp"

namespace pwmlff {

template <typename Real>
void kalman_sweep(const KalmanSweep<Real> &sweep, Real *products, std::int64_t first, std::int64_t last) {
  PWMLFF_DISPATCH(kalman_sweep, sweep, products, first, last);
}

template void kalman_sweep<double>(const KalmanSweep<double> &, double *, std::int64_t, std::int64_t);
template void kalman_sweep<float>(const KalmanSweep<float> &, float *, std::int64_t, std::int64_t);

}  // namespace pwmlff
