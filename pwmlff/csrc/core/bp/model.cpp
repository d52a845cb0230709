#include "bp/model.hpp"

#include "bp/description.hpp"

namespace pwmlff::bp {

template <typename Real>
Model<Real> Description::to_model() const {
  Model<Real> model{cutoff, {}, has_double_geometry, inputs_from};
  const Real *shift_and_factor = scaling.as<Real>();
  for (const CentralType &from : central) {
    CentralModel<Real> to;
    const auto n_radial = static_cast<std::int64_t>(from.radial.size());
    to.radial = radial_plans(from.radial, n_types);
    to.radial_reach = bp::reach(from.radial);
    to.angular_reach = bp::reach(from.angular);
    for (std::int64_t f = 0; f < from.n_inputs(); ++f, shift_and_factor += 2) {
      to.shift.push_back(shift_and_factor[0]);
      to.factor.push_back(shift_and_factor[1]);
    }
    std::vector<std::int64_t> with_moments, others;
    for (std::int64_t f = 0; f < from.n_inputs() - n_radial; ++f)
      (has_moments(from.angular[f], to.factor[n_radial + f]) ? with_moments : others).push_back(f);
    to.moments = moment_plan(from.angular, with_moments, n_types, n_radial);
    to.triplets = triplet_plan(from.angular, others, n_types, n_radial);
    for (std::size_t l = 0; l < from.widths.size(); ++l) {
      for (const Array &array : {from.weights[l], from.biases[l]})
        to.parameters.insert(to.parameters.end(), array.as<Real>(), array.as<Real>() + array.size());
      to.parameters.insert(to.parameters.end(), from.widths[l], Real(1));  // scale
    }
    to.widths = from.widths;
    to.activations = activations;
    model.central.push_back(to);
  }
  return model;
}

template Model<double> Description::to_model() const;
template Model<float> Description::to_model() const;

}  // namespace pwmlff::bp
