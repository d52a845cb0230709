#include "bp/make_evaluator.hpp"

#include "bp/description.hpp"
#include "bp/model.hpp"
#include "kernel.hpp"

namespace pwmlff::bp {

namespace {

template <typename Real>
Model<Real> model_of(const Description &d) {
  Model<Real> model{d.cutoff, {}, d.has_double_geometry};
  const Real *scaling = d.scaling.as<Real>();
  for (const CentralType &from : d.central) {
    CentralModel<Real> to;
    const auto n_radial = static_cast<std::int64_t>(from.radial.size());
    to.radial = radial_plans(from.radial, d.n_types);
    to.radial_reach = reach(from.radial);
    to.angular_reach = reach(from.angular);
    for (std::int64_t f = 0; f < from.n_inputs(); ++f, scaling += 2) {
      to.shift.push_back(scaling[0]);
      to.factor.push_back(scaling[1]);
    }
    std::vector<std::int64_t> with_moments, others;
    for (std::int64_t f = 0; f < from.n_inputs() - n_radial; ++f)
      (has_moments(from.angular[f], to.factor[n_radial + f]) ? with_moments : others).push_back(f);
    to.moments = moment_plan(from.angular, with_moments, d.n_types, n_radial);
    to.triplets = triplet_plan(from.angular, others, d.n_types, n_radial);
    for (std::size_t l = 0; l < from.widths.size(); ++l) {
      for (const Array &array : {from.weights[l], from.biases[l]})
        to.parameters.insert(to.parameters.end(), array.as<Real>(), array.as<Real>() + array.size());
      to.parameters.insert(to.parameters.end(), from.widths[l], Real(1));  // scale
    }
    to.widths = from.widths;
    to.activations = d.activations;
    model.central.push_back(to);
  }
  return model;
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

}  // namespace pwmlff::bp
