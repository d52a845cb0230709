#include "probes.hpp"

#include <utility>

#include "activation.hpp"
#include "gemm.hpp"
#include "packed_net.hpp"
#include "reverse_sweeps.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

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
  const PackedNet<Real> packed(view);
  Net<Real> net;
  const auto n = static_cast<std::int64_t>(x.size()) / view.n_in;
  net.prepare(packed.layers, n, 1);
  net.template forward<1>(x.data(), x1.data(), n);
  const LayerState<Real> &output = net.output();
  const auto rows = [&](const Buffer<Real> &padded) { return rows_of(padded, n, net.n_features(), net.width()); };
  return {rows(output.y), rows(output.y1)};
}

template <typename Real>
NetGradients<Real> net_gradients(const NetView<Real> &view, const std::vector<Real> &x, const std::vector<Real> &x1,
                                 const std::vector<Real> &bar, const std::vector<Real> &bar1) {
  const PackedNet<Real> packed(view);
  Net<Real> net;
  ReverseSweeps<Real> sweeps;
  const auto n = static_cast<std::int64_t>(x.size()) / view.n_in;
  net.prepare(packed.layers, n, 1);
  sweeps.prepare(packed.layers, n);
  const auto spread = [&](const std::vector<Real> &factors, Real *out) {
    const std::int64_t n_out = net.n_features(), width = net.width();
    for (std::int64_t e = 0; e < n; ++e)
      for (std::int64_t j = 0; j < width; ++j) out[e * width + j] = j < n_out ? factors[e * n_out + j] : Real(0);
  };
  NetGradients<Real> result;
  NetGradient<Real> of_values, of_tangents;
  for (auto [gradient, row] : {std::pair(&of_values, &result.of_values), std::pair(&of_tangents, &result.parameters)}) {
    row->resize(net_parameter_count(view.n_in, view.widths));
    gradient->prepare(packed.layers, row->data());
  }
  result.x.resize(x.size());
  net.template forward<0>(x.data(), nullptr, n);
  net.forward_tangents(x1.data(), n);
  spread(bar1, sweeps.by_values());
  const std::vector<Real> ones(n, Real(1));
  sweeps.sweep_values(net, n, {{ones.data(), &of_values}}, nullptr);
  spread(bar, sweeps.by_tangents());
  sweeps.sweep_tangents(net, n, nullptr, of_tangents, result.x.data());
  of_values.finish();
  of_tangents.finish();
  return result;
}

template <typename Real>
Real exponential_of(Real x) {
  return exponential(x);
}

}  // namespace

template <typename Real>
Probes<Real> probes() {
  return {Isa::PWMLFF_ISA, exponential_of<Real>, Tanh::keep<Real>,  Sigmoid::keep<Real>,
          kLanes<Real>,    multiply<Real>,       net_outputs<Real>, net_gradients<Real>};
}

template Probes<double> probes<double>();
template Probes<float> probes<float>();

}  // namespace pwmlff::PWMLFF_ISA
