#include "probes.hpp"

#include "activation.hpp"
#include "gemm.hpp"
#include "residual_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

template <typename Real, int Order>
void run_forward(Net<Real> &net, const NetView<Real> &view, const std::vector<Real> &x, const std::vector<Real> &x1) {
  const auto n = static_cast<std::int64_t>(x.size()) / view.n_in;
  net.prepare(view, n, Order);
  if (view.activation == ActivationKind::tanh)
    net.template forward<Tanh, Order>(x.data(), x1.data(), n);
  else
    net.template forward<Sigmoid, Order>(x.data(), x1.data(), n);
}

// The rows [n, n_out] without what pads them to [n, width].
template <typename Real>
std::vector<Real> rows_of(const Buffer<Real> &padded, std::int64_t n, std::int64_t n_out, std::int64_t width) {
  std::vector<Real> rows;
  for (std::int64_t e = 0; e < n; ++e)
    rows.insert(rows.end(), padded.data() + e * width, padded.data() + e * width + n_out);
  return rows;
}

template <typename Real>
NetOutputs<Real> net_outputs(const NetView<Real> &view, const std::vector<Real> &x, const std::vector<Real> &x1) {
  Net<Real> net;
  run_forward<Real, 2>(net, view, x, x1);
  const auto n = static_cast<std::int64_t>(x.size()) / view.n_in;
  const LayerState<Real> &output = net.output();
  const auto rows = [&](const Buffer<Real> &padded) { return rows_of(padded, n, net.n_features(), net.width()); };
  return {rows(output.y), rows(output.y1), rows(output.y2)};
}

template <typename Real>
NetGradients<Real> net_gradients(const NetView<Real> &view, const std::vector<Real> &x, const std::vector<Real> &x1,
                                 const std::vector<Real> &bar, const std::vector<Real> &bar1) {
  Net<Real> net;
  run_forward<Real, 1>(net, view, x, x1);
  const auto n = static_cast<std::int64_t>(x.size()) / view.n_in;
  const std::int64_t n_out = net.n_features(), width = net.width();
  for (std::int64_t e = 0; e < n; ++e)
    for (std::int64_t j = 0; j < width; ++j) {
      net.bar[e * width + j] = j < n_out ? bar[e * n_out + j] : Real(0);
      net.bar1[e * width + j] = j < n_out ? bar1[e * n_out + j] : Real(0);
    }
  NetGradients<Real> result;
  result.parameters.resize(net_parameter_count(view.n_in, view.widths));
  result.x.resize(x.size());
  NetGradient<Real> gradient;
  gradient.prepare(net.layers(), result.parameters.data());
  if (view.activation == ActivationKind::tanh)
    net.template reverse<Tanh, 1>(n, gradient, result.x.data());
  else
    net.template reverse<Sigmoid, 1>(n, gradient, result.x.data());
  gradient.finish();
  return result;
}

template <typename Real>
Real exponential_of(Real x) {
  return exponential(x);
}

}  // namespace

template <typename Real>
Probes<Real> probes() {
  return {Isa::PWMLFF_ISA, exponential_of<Real>, Tanh::value<Real>, Sigmoid::value<Real>,
          kLanes<Real>,    multiply<Real>,       net_outputs<Real>, net_gradients<Real>};
}

template Probes<double> probes<double>();
template Probes<float> probes<float>();

}  // namespace pwmlff::PWMLFF_ISA
