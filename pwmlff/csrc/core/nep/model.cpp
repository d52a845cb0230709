#include "nep/model.hpp"

#include "nep/description.hpp"

namespace pwmlff::nep {

namespace {

template <typename Real>
Functions<Real> functions_of(const Description &d, const Array &array) {
  if (d.has_tables) return {array.shape[4], nullptr, 0, array.as<Real>(), array.shape[2], array.shape[3]};
  return {array.shape[2], array.as<Real>(), array.shape[3], nullptr, 0, 0};
}

}  // namespace

template <typename Real>
Model<Real> Description::to_model() const {
  return {n_types,
          l_max,
          extras,
          cutoff.as<double>(),
          {functions_of<Real>(*this, radial), functions_of<Real>(*this, angular)},
          n_descriptors,
          n_neurons,
          net.as<Real>(),
          scaler.as<Real>(),
          has_double_geometry};
}

template Model<double> Description::to_model() const;
template Model<float> Description::to_model() const;

}  // namespace pwmlff::nep
