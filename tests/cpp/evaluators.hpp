// What the tests of the families' kernels share: atoms at random places, evaluators of each instruction set.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "for_each_isa.hpp"
#include "helpers.hpp"
#include "kernel.hpp"

struct Structure {
  std::vector<double> vectors;
  std::vector<std::int64_t> start{0}, pair_types, atom_types;

  // Atoms with 0 to `most` pairs of 1 to 6 Å; the second has none.
  Structure(std::int64_t n_types, std::int64_t n_atoms, std::int64_t most) {
    std::mt19937 generator(7);
    std::uniform_real_distribution<double> number(-1.0, 1.0);
    for (std::int64_t i = 0; i < n_atoms; ++i) {
      const std::int64_t n = i == 1 ? 0 : generator() % (most + 1);
      for (std::int64_t e = 0; e < n; ++e) {
        const double v[3] = {number(generator), number(generator), number(generator)};
        const double length = 3.5 + 2.5 * number(generator), norm = std::hypot(v[0], v[1], v[2]);
        for (const double c : v) vectors.push_back(length / norm * c);
        pair_types.push_back(generator() % n_types);
      }
      start.push_back(static_cast<std::int64_t>(pair_types.size()));
      atom_types.push_back(generator() % n_types);
    }
  }

  std::int64_t n_atoms() const { return static_cast<std::int64_t>(atom_types.size()); }
  std::int64_t n_pairs() const { return start.back(); }
  pwmlff::Pairs pairs() const { return {vectors.data(), start.data(), pair_types.data(), atom_types.data()}; }
};

struct Result {
  std::vector<double> energies, gradients;
  std::vector<unsigned char> kept;

  double sum() const {
    double total = 0;
    for (const double energy : energies) total += energy;
    return total;
  }
};

inline Result evaluate(const pwmlff::Evaluator &evaluator, const Structure &structure, bool is_kept = false) {
  Result result{std::vector<double>(structure.n_atoms(), NAN), std::vector<double>(structure.vectors.size(), NAN), {}};
  if (is_kept) result.kept.resize(structure.n_pairs() * evaluator.kept_size());
  evaluator.evaluate(structure.pairs(), result.energies.data(), result.gradients.data(),
                     is_kept ? result.kept.data() : nullptr, 0, structure.n_atoms());
  return result;
}

inline double largest(const std::vector<double> &numbers) {
  double most = 0;
  for (const double number : numbers) most = std::max(most, std::abs(number));
  return most;
}

// NaN where one has it.
inline double difference(const std::vector<double> &a, const std::vector<double> &b) {
  double most = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!(std::abs(a[k] - b[k]) <= most)) most = std::abs(a[k] - b[k]);
  }
  return most;
}

using Evaluators = std::vector<std::unique_ptr<const pwmlff::Evaluator>>;

// One for each instruction set that is compiled here and that this processor has.
template <typename Model>
Evaluators all_evaluators(const Model &model) {
  Evaluators result;
#define PWMLFF_ADD_EVALUATOR(isa) \
  if (pwmlff::processor_isa() >= pwmlff::Isa::isa) result.push_back(pwmlff::make_compiled<pwmlff::Isa::isa>(model));
  PWMLFF_FOR_EACH_ISA(PWMLFF_ADD_EVALUATOR)
#undef PWMLFF_ADD_EVALUATOR
  return result;
}

// From each instruction set, with and without what is kept for the weights, in each precision. `make_model` is called
// with a number of that type and whether geometry is in double precision.
template <typename MakeModel>
void check_same_numbers(const MakeModel &make_model, const Structure &structure) {
  const Evaluators evaluators = all_evaluators(make_model(0.0, true));
  const Result expected = evaluate(*evaluators.front(), structure);
  const double energy = largest(expected.energies), gradient = largest(expected.gradients);
  CHECK(gradient > 0);
  const auto check = [&](const Evaluators &others, bool is_kept, double tolerance) {
    for (const auto &evaluator : others) {
      const Result result = evaluate(*evaluator, structure, is_kept);
      CHECK(difference(result.energies, expected.energies) < tolerance * energy);
      CHECK(difference(result.gradients, expected.gradients) < tolerance * gradient);
    }
  };
  for (const bool is_kept : {false, true}) check(evaluators, is_kept, 1e-12);
  for (const bool has_double_geometry : {true, false})
    check(all_evaluators(make_model(0.0f, has_double_geometry)), false, 1e-4);
}

// Gradients against differences of the energy, for every `stride`-th component.
template <typename Model>
void check_slopes(const Model &model, Structure structure, std::size_t stride, double tolerance) {
  for (const auto &evaluator : all_evaluators(model)) {
    const Result result = evaluate(*evaluator, structure);
    for (std::size_t k = 0; k < structure.vectors.size(); k += stride) {
      const double at = structure.vectors[k];
      const auto energy = [&](double step) {
        structure.vectors[k] = at + step;
        return evaluate(*evaluator, structure).sum();
      };
      CHECK(std::abs(slope(energy, 1e-4) - result.gradients[k]) < tolerance * (1 + largest(result.gradients)));
      structure.vectors[k] = at;
    }
  }
}

// The weighted sum that row k of the gradients by the weights differentiates.
inline double weighted_sum(const Result &result, const pwmlff::Cotangents &c, std::int64_t k) {
  double total = 0;
  for (std::int64_t i = 0; i < c.n_atoms; ++i) total += c.by_energies[k * c.n_atoms + i] * result.energies[i];
  for (std::int64_t i = 0; k < c.n_directed && i < 3 * c.n_pairs; ++i)
    total += c.by_gradients[k * 3 * c.n_pairs + i] * result.gradients[i];
  return total;
}
