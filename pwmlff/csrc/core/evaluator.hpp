// A model ready to be evaluated: atomic energies and their derivatives by pair vector, of any family.
#pragma once

#include <cstdint>

#include "pairs.hpp"

namespace pwmlff {

// Pairs that the model was not made for, each (i, j) counted once per evaluation. A model that knows the shortest
// distances of its training data (families.hpp) counts by these, other models by the range of their tables.
struct Overflows {
  std::int64_t nearer = 0;  // than any pair of these elements in the data that the model was made for
  std::int64_t beyond = 0;  // those of them that lie beyond the tables

  Overflows &operator+=(const Overflows &other) {
    nearer += other.nearer;
    beyond += other.beyond;
    return *this;
  }
};

// K sums over atoms and pairs, sum_i e_i E_i + sum_ij c_ij . g_ij with g the gradients by pair vector, whose gradients
// by the weights are wanted.
struct Cotangents {
  std::int64_t n_atoms, n_pairs;    // N and E
  std::int64_t n_sums, n_directed;  // K, and how many of them, the first ones, have c
  const double *by_energies;        // e [K, N]
  const double *by_gradients;       // c [n_directed, E, 3]
};

// Has its weights laid out for the kernels of this processor; const and shared by threads.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  virtual std::int64_t n_types() const = 0;

  // Fills energies [N] (eV) and gradients [E, 3] (eV/Å) for the atoms first..last, and `kept` [E, kept_size] with what
  // `differentiate` needs of their pairs; null where nothing will be differentiated.
  virtual Overflows evaluate(const Pairs &pairs, double *energies, double *gradients, unsigned char *kept,
                             std::int64_t first, std::int64_t last) const = 0;

  // Whether what it keeps of pairs is what the other does: then they differ in nothing that this depends on.
  virtual bool keeps_as(const Evaluator & /*other*/) const { return false; }

  // As `evaluate`, from what itself or one that `keeps_as` it has kept of the pairs of these very atoms.
  virtual void evaluate_kept(const Pairs &, double * /*energies*/, double * /*gradients*/,
                             const unsigned char * /*kept*/, std::int64_t /*first*/, std::int64_t /*last*/) const {}

  // Number of weights n that it differentiates by: those of all trained arrays of the stored model, in the order that
  // the family says; 0 where it offers no such gradients.
  virtual std::int64_t n_weights() const { return 0; }

  // Bytes of a pair.
  virtual std::int64_t kept_size() const { return 0; }

  // Fills rows [K, n] with the gradients of the sums over the atoms first..last and their pairs, which have been
  // evaluated.
  virtual void differentiate(const Pairs &, const Cotangents &, const unsigned char * /*kept*/, double * /*rows*/,
                             std::int64_t /*first*/, std::int64_t /*last*/) const {}
};

}  // namespace pwmlff
