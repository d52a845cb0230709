// The invariants of an atom's sums s_n,lm and their derivatives, by the lanes of a warp.
//
// For each block of kFew functions n the s_lm follow each other. Some of them may be of larger l than the model has.
#pragma once

#include "cuda/nep/warp.hpp"
#include "nep/extra_invariants.hpp"

namespace pwmlff::cuda {

constexpr int kExtraPlaces = harmonics_up_to(4);  // of the s that the extras are made of

// The s of one function that the extras are made of, or what such have.
template <typename Real>
struct ExtraSums {
  Real of[kExtraPlaces] = {};

  ExtraSums() = default;

  template <typename Wide>
  __device__ ExtraSums(const Few<Wide> *sums, int n) {
    PWMLFF_UNROLL(24)
    for (int at = 0; at < kExtraPlaces; ++at) of[at] = static_cast<Real>(sums[at].of[n]);
  }

  __device__ Real operator()(int at) const { return of[at]; }

  __device__ void add_to(Few<Real> *sums, int n) const {
    PWMLFF_UNROLL(24)
    for (int at = 0; at < kExtraPlaces; ++at) sums[at].of[n] += of[at];
  }
};

// The l of a place.
__device__ inline int degree_of(int place) {
  int l = 1;
  while (harmonic_place(l + 1) <= place) ++l;
  return l;
}

// q_n of the first invariant over all n, then of the next, from s [blocks, n_harmonics].
template <typename Real, typename Wide>
__device__ void find_invariants(const DeviceNep<Real> &model, const Few<Wide> *sums, int n_harmonics, Real *q) {
  const int n_functions = model.angular.n_functions;
  for (int item = lane(); item < model.l_max * n_functions; item += kWarp) {
    const int n = item % n_functions, place = harmonic_place(item / n_functions + 1),
              size = 2 * (item / n_functions) + 3;
    const Few<Wide> *s = sums + n / kFew * n_harmonics + place;
    Real sum = 0;
    for (int i = 0; i < size; ++i) {
      const Real value = static_cast<Real>(s[i].of[n % kFew]);
      sum += model.norms[place + i] * value * value;
    }
    q[item] = sum;
  }
  if (!model.has_extras) return;
  for (int n = lane(); n < n_functions; n += kWarp) {
    const ExtraSums<Real> s(sums + n / kFew * n_harmonics, n % kFew);
    Real *to = q + model.l_max * n_functions + n;
    nep::for_each_extra<Real, Real>(model.extras, [&](auto extra) {
      *to = extra.value(s);
      to += n_functions;
    });
  }
}

// The changes of q where s changes by s1.
template <typename Real>
__device__ void find_changes(const DeviceNep<Real> &model, const Few<Real> *sums, const Few<Real> *changes,
                             int n_harmonics, Real *q) {
  const int n_functions = model.angular.n_functions;
  for (int item = lane(); item < model.l_max * n_functions; item += kWarp) {
    const int n = item % n_functions, place = harmonic_place(item / n_functions + 1),
              size = 2 * (item / n_functions) + 3;
    const int first = n / kFew * n_harmonics + place;
    Real sum = 0;
    for (int i = 0; i < size; ++i)
      sum += Real(2) * model.norms[place + i] * sums[first + i].of[n % kFew] * changes[first + i].of[n % kFew];
    q[item] = sum;
  }
  if (!model.has_extras) return;
  for (int n = lane(); n < n_functions; n += kWarp) {
    const int block = n / kFew * n_harmonics;
    const ExtraSums<Real> s(sums + block, n % kFew), s1(changes + block, n % kFew);
    Real *to = q + model.l_max * n_functions + n;
    nep::for_each_extra<Real, Real>(model.extras, [&](auto extra) {
      *to = extra.change(s, s1);
      to += n_functions;
    });
  }
}

// dE/ds of a block of functions, [n_harmonics], from dE/dq and s of that block; and with `changes`, those of a sum
// that has dS/dq' = by_change besides, see core/nep/angular_tangents.hpp.
template <bool HasChanges, typename Real, typename Wide>
__device__ void differentiate_invariants(const DeviceNep<Real> &model, int block, const Few<Wide> *sums,
                                         const Few<Wide> *changes, int n_harmonics, const Real *by_q,
                                         const Real *by_change, Few<Real> *by_sums) {
  const int n_functions = model.angular.n_functions;
  for (int at = lane(); at < n_harmonics; at += kWarp) {
    const int l = degree_of(at);
    const Real *by = by_q + (l - 1) * n_functions, *more = by_change + (l - 1) * n_functions;
    Few<Real> result = {};
    for (int k = 0; k < kFew; ++k) {
      const int n = block * kFew + k;
      if (l > model.l_max || n >= n_functions) continue;
      Real sum = by[n] * static_cast<Real>(sums[at].of[k]);
      if (HasChanges) sum += more[n] * static_cast<Real>(changes[at].of[k]);
      result.of[k] = Real(2) * model.norms[at] * sum;
    }
    by_sums[at] = result;
  }
  if (!model.has_extras) return;
  __syncwarp();
  const int k = lane(), n = block * kFew + k;
  if (k >= kFew || n >= n_functions) return;
  const ExtraSums<Real> s(sums, k);
  ExtraSums<Real> result;
  const auto add = [&](int at, Real term) { result.of[at] += term; };
  int at = model.l_max * n_functions + n;
  if constexpr (HasChanges) {
    const ExtraSums<Real> s1(changes, k);
    nep::for_each_extra<Real, Real>(model.extras, [&](auto extra) {
      extra.differentiate(s, by_q[at], add);
      extra.differentiate_change(s, s1, by_change[at], add);
      at += n_functions;
    });
  } else {
    nep::for_each_extra<Real, Real>(model.extras, [&](auto extra) {
      extra.differentiate(s, by_q[at], add);
      at += n_functions;
    });
  }
  result.add_to(by_sums, k);
}

}  // namespace pwmlff::cuda
