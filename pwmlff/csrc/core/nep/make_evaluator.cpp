#include "nep/make_evaluator.hpp"

#include "kernel.hpp"
#include "nep/description.hpp"
#include "nep/model.hpp"

namespace pwmlff::nep {

namespace {

template <typename Real>
Functions<Real> functions(const Description &d, const Array &array) {
  if (d.has_tables) return {array.shape[4], nullptr, 0, array.as<Real>(), array.shape[2], array.shape[3]};
  return {array.shape[2], array.as<Real>(), array.shape[3], nullptr, 0, 0};
}

template <typename Real>
Model<Real> model_of(const Description &d) {
  return {d.n_types,
          d.l_max,
          d.extras,
          d.cutoff.as<double>(),
          {functions<Real>(d, d.radial), functions<Real>(d, d.angular)},
          d.n_descriptors,
          d.n_neurons,
          d.net.as<Real>(),
          d.scaler.as<Real>(),
          d.has_double_geometry};
}

}  // namespace

Extent extent(const StoredModel &stored) {
  const Description description(stored);
  return {description.n_types, description.reach()};
}

std::unique_ptr<const Evaluator> make_evaluator(const StoredModel &stored) {
  const Description description(stored);
  return description.dtype() == DType::float64 ? make_for_processor(model_of<double>(description))
                                               : make_for_processor(model_of<float>(description));
}

}  // namespace pwmlff::nep
