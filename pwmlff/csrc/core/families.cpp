#include "families.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bp/description.hpp"
#include "bp/model.hpp"
#include "dp/description.hpp"
#include "dp/model.hpp"
#include "kernel.hpp"
#include "nep/description.hpp"
#include "nep/model.hpp"
#include "shortest.hpp"
#include "zbl.hpp"

namespace pwmlff {

namespace {

struct Family {
  const char *name;
  std::unique_ptr<const Evaluator> (*make_evaluator)(const StoredModel &);
  Extent (*extent)(const StoredModel &);
};

// By what a family makes of the arrays: checked, and of which type of numbers.
template <typename Description>
std::unique_ptr<const Evaluator> make_network(const StoredModel &stored) {
  const Description description(stored);
  return description.dtype() == DType::float64 ? make_for_processor(description.template to_model<double>())
                                               : make_for_processor(description.template to_model<float>());
}

template <typename Description>
Extent extent_of_network(const StoredModel &stored) {
  const Description description(stored);
  return {description.n_types, description.reach()};
}

template <typename Description>
constexpr Family row(const char *name) {
  return {name, make_network<Description>, extent_of_network<Description>};
}

constexpr Family kFamilies[] = {
    row<bp::Description>("bp"),
    row<dp::Description>("dp"),
    row<nep::Description>("nep"),
};

const Family *find(const std::string &name) {
  for (const Family &family : kFamilies)
    if (name == family.name) return &family;
  return nullptr;
}

const Family &family_of(const StoredModel &model) {
  const Family *family = find(model.family);
  if (!family) throw std::runtime_error("this library has no kernels for models of the family '" + model.family + "'");
  return *family;
}

// A family's model with what every family may have.
class Potential final : public Evaluator {
 public:
  Potential(std::unique_ptr<const Evaluator> network, const StoredModel &model) : network_(std::move(network)) {
    if (model.has("repulsion.range")) repulsion_.emplace(model, n_types());
    if (model.has("energy_shift")) {
      model.array("energy_shift", DType::float64, {n_types()});
      energy_shift_ = model.numbers("energy_shift");
    }
    if (model.has("shortest")) shortest_.emplace(model, n_types());
  }

  std::int64_t n_types() const override { return network_->n_types(); }

  Overflows evaluate(const Pairs &pairs, double *energies, double *gradients, unsigned char *kept, std::int64_t first,
                     std::int64_t last) const override {
    Overflows overflows = network_->evaluate(pairs, energies, gradients, kept, first, last);
    complete(pairs, energies, gradients, first, last);
    if (shortest_) overflows.nearer = shortest_->count_nearer(pairs, first, last);
    return overflows;
  }

  bool keeps_as(const Evaluator &other) const override {
    const auto *potential = dynamic_cast<const Potential *>(&other);
    return potential && network_->keeps_as(*potential->network_);
  }

  void evaluate_kept(const Pairs &pairs, double *energies, double *gradients, const unsigned char *kept,
                     std::int64_t first, std::int64_t last) const override {
    network_->evaluate_kept(pairs, energies, gradients, kept, first, last);
    complete(pairs, energies, gradients, first, last);
  }

  std::int64_t n_weights() const override { return network_->n_weights(); }
  std::int64_t kept_size() const override { return network_->kept_size(); }

  // What is added to the network has no weights.
  void differentiate(const Pairs &pairs, const Cotangents &cotangents, const unsigned char *kept, double *rows,
                     std::int64_t first, std::int64_t last) const override {
    network_->differentiate(pairs, cotangents, kept, rows, first, last);
  }

 private:
  // Adds what is no part of the network.
  void complete(const Pairs &pairs, double *energies, double *gradients, std::int64_t first, std::int64_t last) const {
    if (repulsion_) repulsion_->add(pairs, energies, gradients, first, last);
    if (!energy_shift_.empty())
      for (std::int64_t i = first; i < last; ++i) energies[i] += energy_shift_[pairs.atom_types[i]];
  }

  std::unique_ptr<const Evaluator> network_;
  std::optional<Zbl> repulsion_;
  std::optional<ShortestDistances> shortest_;
  std::vector<double> energy_shift_;  // [T] eV, empty where there is none
};

}  // namespace

bool has_family(const std::string &name) {
  return find(name) != nullptr;
}

std::string family_names() {
  std::string names;
  for (const Family &family : kFamilies) names += (names.empty() ? "" : ", ") + std::string(family.name);
  return names;
}

std::unique_ptr<const Evaluator> make_evaluator(const StoredModel &model) {
  return std::make_unique<Potential>(family_of(model).make_evaluator(model), model);
}

Extent extent(const StoredModel &model) {
  Extent result = family_of(model).extent(model);
  if (model.has("repulsion.range")) result.reach = std::max(result.reach, Zbl(model, result.n_types).reach());
  return result;
}

}  // namespace pwmlff
