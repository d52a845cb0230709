// A Behler-Parrinello potential as it is stored. Letters: T types, Fr and Fa radial and angular functions of all
// central types, F = Fr + Fa, L layers of the nets. The arrays, where Real is float64 or float32, the same for all:
//
//   cutoff_function   int64 []           a CutoffKind of distance_function.hpp
//   inner_fraction    float64 []         0 to below 1, of the cutoff: where the cutoff function begins to fall
//   radial_start      int64 [T + 1]      functions of central type t are radial_start[t]..radial_start[t + 1]
//   radial_kind       int64 [Fr]         1 G1, 2 G2, 3 G3, 6 piece
//   radial            float64 [Fr, 3]    r_c in Å, then eta and R_s of G2; kappa of G3; centre and half width, piece
//   radial_weights    Real [Fr, T]       by neighbour type
//   angular_start     int64 [T + 1]
//   angular_kind      int64 [Fa]         4 G4, 5 G5, 7 triple
//   angular           float64 [Fa, 7]    r_c, then eta, R_s, lambda and zeta; three centres, then three half widths
//   angular_weights   Real [Fa, T, T]    by the types of j and k
//   scaling           Real [F, 2]        shift and factor: an input of the net is (G - shift) factor; of central type 0
//                                        its radial functions, then its angular ones, then of type 1, and so on
//   activations       int64 [L]          an ActivationKind of nets.hpp for each layer
//   net.t.l.weight    Real [out, in]     of layer l of the net of central type t; the last has one output, the energy
//   net.t.l.bias      Real [out]
//   double_geometry   int64 []           1: distances and sums over neighbours are float64, 0: of type Real
//
// With c = cos of the angle between j and k and x = r_jk:
//
//   G1 = sum_j f_c          G2 = sum_j exp(-eta (r - R_s)^2) f_c          G3 = sum_j cos(kappa r) f_c
//   G5 = 2^(1 - zeta) sum_{j<k} (1 + lambda c)^zeta g(r_ij) g(r_ik),      g(r) = exp(-eta (r - R_s)^2) f_c(r)
//   G4 = 2^(1 - zeta) sum_{j<k} (1 + lambda c)^zeta g(r_ij) g(r_ik) g(x)
//   triple = sum over j != k of p_1(r_ij) p_2(r_ik) p_3(x)                with pieces p, the weight by type of j and k
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bp/distance_function.hpp"
#include "bp/plan.hpp"
#include "nets.hpp"
#include "stored_model.hpp"

namespace pwmlff::bp {

// Of one central type; arrays point into those of the stored model.
struct CentralType {
  std::vector<RadialFunction> radial;
  std::vector<AngularFunction> angular;
  std::vector<std::int64_t> widths;  // of the layers
  std::vector<Array> weights, biases;

  std::int64_t n_inputs() const { return static_cast<std::int64_t>(radial.size() + angular.size()); }
};

template <typename Real>
struct Model;

struct Description {
  std::int64_t n_types;
  CutoffFunction cutoff;
  std::vector<CentralType> central;
  std::vector<ActivationKind> activations;
  Array scaling;
  bool has_double_geometry;
  std::string inputs_from;  // see Model

  // Throws std::runtime_error where an array is missing, or where arrays do not fit each other.
  explicit Description(const StoredModel &model);

  // What the kernels work on, see model.hpp.
  template <typename Real>
  Model<Real> to_model() const;

  DType dtype() const { return scaling.dtype; }
  double reach() const;  // Å, the longest cutoff

 private:
  void read_radial(const StoredModel &model);
  void read_angular(const StoredModel &model);
  void read_net(const StoredModel &model, std::int64_t type);
};

// Å, the longest cutoff of neighbours.
double reach(const std::vector<RadialFunction> &functions);
double reach(const std::vector<AngularFunction> &functions);

}  // namespace pwmlff::bp
