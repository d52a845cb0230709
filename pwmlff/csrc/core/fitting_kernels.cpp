// Kernels of fitting.hpp.
#include "fitting.hpp"

#include "kernel.hpp"
#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

constexpr std::int64_t kAtoms = 64;  // worked on at once: each weight fetched from the outer caches serves them all

template <typename Real>
const Real *output_weights(const FittingNet<Real> &net) {
  return net.hidden.parameters + net_parameter_count(net.hidden.n_in, net.hidden.widths);
}

// Fills bar [n, width] with factors_i w_m.
template <typename Real>
void spread(const Real *factors, const Real *weights, const Net<Real> &net, std::int64_t n, Real *bar) {
  std::fill(bar, bar + n * net.width(), Real(0));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t m = 0; m < net.n_features(); ++m) bar[i * net.width() + m] = factors[i] * weights[m];
}

// Adds sum_i factors_i y_im to out [n_features].
template <typename Real>
void add_weighted(const Real *factors, const Real *y, const Net<Real> &net, std::int64_t n, Real *out) {
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t m = 0; m < net.n_features(); ++m) out[m] += factors[i] * y[i * net.width() + m];
}

template <typename Activation, typename Real>
void evaluate(const FittingEnergies<Real> &arguments, std::int64_t first, std::int64_t last) {
  const FittingNet<Real> &fitting = arguments.net;
  Net<Real> &net = net_of_thread<Real>();
  net.prepare(fitting.hidden, kAtoms, 0);
  const Real *weights = output_weights(fitting);
  const std::int64_t n_features = net.n_features(), length = fitting.hidden.n_in;
  for (std::int64_t i0 = first; i0 < last; i0 += kAtoms) {
    const std::int64_t n = std::min(kAtoms, last - i0);
    net.template forward<Activation, 0>(fitting.inputs + i0 * length, nullptr, n);
    for (std::int64_t i = 0; i < n; ++i)
      arguments.energies[i0 + i] =
          dot(net.output().y.data() + i * net.width(), weights, n_features) + weights[n_features];
  }
}

template <typename Activation, typename Real>
void evaluate(const FittingBackward<Real> &out, std::int64_t first, std::int64_t last) {
  const FittingNet<Real> &fitting = out.net;
  const Real *factors = out.factors;
  Net<Real> &net = net_of_thread<Real>();
  net.prepare(fitting.hidden, kAtoms, 0);
  const Real *weights = output_weights(fitting);
  const std::int64_t n_features = net.n_features(), length = fitting.hidden.n_in;
  NetGradient<Real> &gradient = gradient_of_thread<Real>();
  gradient.prepare(net.layers(), out.parameters);
  Buffer<Real> output_gradient(n_features + 1, Real(0));
  for (std::int64_t i0 = first; i0 < last; i0 += kAtoms) {
    const std::int64_t n = std::min(kAtoms, last - i0);
    const Real *inputs = fitting.inputs + i0 * length;
    net.template forward<Activation, 0>(inputs, nullptr, n);
    spread(factors + i0, weights, net, n, net.bar.data());
    if (out.parameters) {
      add_weighted(factors + i0, net.output().y.data(), net, n, output_gradient.data());
      for (std::int64_t i = 0; i < n; ++i) output_gradient[n_features] += factors[i0 + i];
    }
    net.template reverse<Activation, 0>(n, gradient, out.inputs ? out.inputs + i0 * length : nullptr);
  }
  gradient.finish();
  if (out.parameters) {
    Real *tail = out.parameters + net_parameter_count(length, fitting.hidden.widths);
    for (std::int64_t m = 0; m <= n_features; ++m) tail[m] += output_gradient[m];
  }
}

// <directions, dx> = sum_i factors_i dE_i/d(directions_i): the derivative of E along the direction, carried forward.
template <typename Activation, typename Real>
void evaluate(const FittingDoubleBackward<Real> &out, std::int64_t first, std::int64_t last) {
  const FittingNet<Real> &fitting = out.net;
  const Real *factors = out.factors;
  Net<Real> &net = net_of_thread<Real>();
  net.prepare(fitting.hidden, kAtoms, 1);
  const Real *weights = output_weights(fitting);
  const std::int64_t n_features = net.n_features(), length = fitting.hidden.n_in;
  NetGradient<Real> &gradient = gradient_of_thread<Real>();
  gradient.prepare(net.layers(), out.parameters);
  Buffer<Real> output_gradient(n_features, Real(0));
  for (std::int64_t i0 = first; i0 < last; i0 += kAtoms) {
    const std::int64_t n = std::min(kAtoms, last - i0);
    const Real *inputs = fitting.inputs + i0 * length, *tangents = out.directions + i0 * length;
    net.template forward<Activation, 1>(inputs, tangents, n);
    const Real *y1 = net.output().y1.data();
    if (out.by_factors)
      for (std::int64_t i = 0; i < n; ++i) out.by_factors[i0 + i] = dot(y1 + i * net.width(), weights, n_features);
    if (out.parameters) add_weighted(factors + i0, y1, net, n, output_gradient.data());
    std::fill(net.bar.begin(), net.bar.end(), Real(0));
    spread(factors + i0, weights, net, n, net.bar1.data());
    net.template reverse<Activation, 1>(n, gradient, out.inputs ? out.inputs + i0 * length : nullptr);
  }
  gradient.finish();
  if (out.parameters) {
    Real *tail = out.parameters + net_parameter_count(length, fitting.hidden.widths);
    for (std::int64_t m = 0; m < n_features; ++m) tail[m] += output_gradient[m];
  }
}

template <typename Arguments>
void run(const Arguments &arguments, std::int64_t first, std::int64_t last) {
  with_activation(arguments.net.hidden.activation,
                  [&](auto activation) { evaluate<decltype(activation)>(arguments, first, last); });
}

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA

PWMLFF_KERNEL(FittingEnergies)
PWMLFF_KERNEL(FittingBackward)
PWMLFF_KERNEL(FittingDoubleBackward)
