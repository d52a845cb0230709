// Sends each call of dp.hpp to the kernels of this processor's instruction set.
#include "dp.hpp"

#include "dp_kernels.hpp"
#include "isa.hpp"

namespace pwmlff {

template <typename Real>
std::unique_ptr<DpEvaluator> make_dp_evaluator(const DpModel<Real> &model) {
  PWMLFF_DISPATCH(make_dp_evaluator, model);
}

template std::unique_ptr<DpEvaluator> make_dp_evaluator<double>(const DpModel<double> &);
template std::unique_ptr<DpEvaluator> make_dp_evaluator<float>(const DpModel<float> &);

}  // namespace pwmlff
