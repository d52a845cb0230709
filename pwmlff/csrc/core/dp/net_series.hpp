// An embedding net as series, exact to rounding: pairs are many, and the net is a smooth function of one number x.
//
// The range of x is cut into panels of equal width. With t from -1 to 1 across a panel, T_m Chebyshev's polynomials,
// and t_k = cos theta_k, theta_k = pi (k + 1/2) / n, the panel's samples,
//
//   G(x) = sum_m c_m T_m(t)      c_m = sum_k D_mk G(x_k)      D_mk = (2 - delta_m0) / n cos(m theta_k)
//
// and likewise dG/dx from samples of its own, since the derivative of a series loses digits. Panels are halved until
// the last terms vanish beside the largest value. On the way back, a sum over pairs of f_p . G(x_p) is one over
// samples,
//
//   sum_k g_k . G(x_k)           g_k = sum_m D_mk sum_p T_m(t_p) f_p
//
// Rows of features hold G and dG/dx, each padded with zeros to whole vectors: [2, stride].
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "packed_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// The inputs that a net will be given.
struct Inputs {
  double lower = std::numeric_limits<double>::infinity(), upper = -lower;
  std::int64_t count = 0;

  void add(double least, double most, std::int64_t n) {
    lower = std::min(lower, least);
    upper = std::max(upper, most);
    count += n;
  }
};

// The net itself, block by block.
template <typename Real>
class NetValues {
 public:
  static constexpr std::int64_t kBlock = 32;  // inputs that go through a net at once

  // Fills out [n, 2, stride].
  void evaluate(const PackedNet<Real> &packed, const double *inputs, std::int64_t n, Real *out) {
    static const Buffer<Real> ones(kBlock, Real(1));
    net_.prepare(packed.layers, kBlock, 1);
    provide(input_, kBlock);
    const std::int64_t stride = net_.width();
    for (std::int64_t first = 0; first < n; first += kBlock) {
      const std::int64_t size = std::min(kBlock, n - first);
      std::copy(inputs + first, inputs + first + size, input_.data());
      net_.template forward<1>(input_.data(), ones.data(), size);
      const Real *y = net_.output().y.data(), *y1 = net_.output().y1.data();
      for (std::int64_t e = 0; e < size; ++e, out += 2 * stride) {
        std::copy(y + e * stride, y + (e + 1) * stride, out);
        std::copy(y1 + e * stride, y1 + (e + 1) * stride, out + stride);
      }
    }
  }

 private:
  Net<Real> net_;
  Buffer<Real> input_;
};

template <typename Real>
class NetSeries {
 public:
  static constexpr std::int64_t kTerms = 12;  // n: the cost of a pair grows with it, the number of samples falls

  // Where it would take too many samples for so few inputs, there is no series.
  void fit(const PackedNet<Real> &net, const Inputs &inputs, NetValues<Real> &values) {
    const std::int64_t most = inputs.count / (kInputsPerSample * kTerms);
    const double length = std::max(inputs.upper - inputs.lower, kShortest), n_first = std::ceil(length / kWidest);
    panels_.clear();
    if (!(n_first <= static_cast<double>(most))) return;  // also where an input is not finite
    std::vector<Panel> open;
    for (double k = 0; k < n_first; ++k) open.push_back({inputs.lower + k * length / n_first, length / n_first});
    while (!open.empty()) {
      if (n_panels() + static_cast<std::int64_t>(open.size()) > most || open.front().width < kNarrowest) {
        panels_.clear();
        return;
      }
      keep_exact(net, values, open);
    }
    arrange_cells(inputs.lower, length);
  }

  bool exists() const { return !panels_.empty(); }
  std::int64_t n_panels() const { return static_cast<std::int64_t>(panels_.size()); }
  const Real *coefficients(std::int64_t panel) const { return coefficients_.data() + panel * panel_size_; }

  // The inputs of all samples [panels, kTerms].
  std::vector<double> samples() const {
    std::vector<double> result;
    for (const Panel &panel : panels_) add_samples(panel, result);
    return result;
  }

  // The panel of an input, and its t there; NaN stays NaN.
  std::int64_t locate(double input, double &t) const {
    const double place = (input - lower_) * cells_per_unit_, last = static_cast<double>(cells_.size() - 1);
    const double cell = place > last ? last : place;
    const std::int64_t index = cells_[cell >= 0.0 ? static_cast<std::size_t>(cell) : 0];
    t = (input - panels_[index].lower) * (2.0 / panels_[index].width) - 1.0;
    return index;
  }

  // g [kTerms, width] of a panel's samples from sum_p T_m f_p [kTerms, width]
  static void to_samples(const Real *by_coefficients, std::int64_t width, Real *by_samples) {
    multiply<Real>(kTerms, width, kTerms, transform().data(), 1, kTerms, by_coefficients, width, by_samples, width,
                   false);
  }

 private:
  struct Panel {
    double lower, width;
  };

  static constexpr double kWidest = 1.0, kNarrowest = 1e-3, kShortest = 1e-2;  // panels, range
  static constexpr std::int64_t kInputsPerSample = 4;                          // fewer are not worth a series
  // The last two terms may be so much of the largest value; what is left out is a hundredth of them.
  static constexpr Real kLastTerms = 256 * std::numeric_limits<Real>::epsilon();

  // D [kTerms, kTerms]
  static const Buffer<Real> &transform() {
    static const Buffer<Real> result = [] {
      Buffer<Real> matrix(kTerms * kTerms);
      for (std::int64_t m = 0; m < kTerms; ++m)
        for (std::int64_t k = 0; k < kTerms; ++k)
          matrix[m * kTerms + k] =
              static_cast<Real>((m == 0 ? 1.0 : 2.0) / kTerms * std::cos(static_cast<double>(m) * angle(k)));
      return matrix;
    }();
    return result;
  }

  static double angle(std::int64_t k) {
    return std::acos(-1.0) * (static_cast<double>(k) + 0.5) / static_cast<double>(kTerms);
  }

  static void add_samples(const Panel &panel, std::vector<double> &inputs) {
    for (std::int64_t k = 0; k < kTerms; ++k)
      inputs.push_back(panel.lower + 0.5 * panel.width * (1.0 + std::cos(angle(k))));
  }

  // Samples the open panels, keeps those that are exact, and halves the others.
  void keep_exact(const PackedNet<Real> &net, NetValues<Real> &values, std::vector<Panel> &open) {
    const std::int64_t stride = net.layers.back().width, n_open = static_cast<std::int64_t>(open.size());
    std::vector<double> inputs;
    for (const Panel &panel : open) add_samples(panel, inputs);
    panel_size_ = kTerms * 2 * stride;
    provide(values_, n_open * panel_size_);
    provide(coefficients_, (n_panels() + n_open) * panel_size_);
    values.evaluate(net, inputs.data(), n_open * kTerms, values_.data());
    if (panels_.empty())
      for (int half = 0; half < 2; ++half)
        largest_[half] = largest(values_.data() + half * stride, n_open * kTerms, stride);
    std::vector<Panel> halves;
    for (std::int64_t k = 0; k < n_open; ++k) {
      Real *series = coefficients_.data() + n_panels() * panel_size_;
      multiply<Real>(kTerms, 2 * stride, kTerms, transform().data(), kTerms, 1, values_.data() + k * panel_size_,
                     2 * stride, series, 2 * stride, false);
      const Real *last = series + (kTerms - 2) * 2 * stride;
      const bool is_exact = largest(last, 2, stride) <= kLastTerms * largest_[0] &&
                            largest(last + stride, 2, stride) <= kLastTerms * largest_[1];
      if (is_exact) {
        panels_.push_back(open[k]);
      } else {
        const double half = open[k].width / 2;
        halves.insert(halves.end(), {{open[k].lower, half}, {open[k].lower + half, half}});
      }
    }
    open.swap(halves);
  }

  // Of G or dG/dx in so many rows [2, stride].
  static Real largest(const Real *rows, std::int64_t n, std::int64_t stride) {
    Real result = 0;
    for (std::int64_t row = 0; row < n; ++row)
      for (std::int64_t m = 0; m < stride; ++m) {
        const Real size = std::abs(rows[row * 2 * stride + m]);
        result = size <= result ? result : size;  // NaN is the largest
      }
    return result;
  }

  // Cells as wide as the narrowest panel tell the panel of an input.
  void arrange_cells(double lower, double length) {
    double narrowest = length;
    for (const Panel &panel : panels_) narrowest = std::min(narrowest, panel.width);
    const double n_cells = std::round(length / narrowest);
    lower_ = lower;
    cells_per_unit_ = n_cells / length;
    cells_.resize(static_cast<std::size_t>(n_cells));
    for (std::size_t k = 0; k < panels_.size(); ++k) {
      const auto first = static_cast<std::int64_t>(std::round((panels_[k].lower - lower) * cells_per_unit_));
      std::fill_n(cells_.begin() + first, static_cast<std::int64_t>(std::round(panels_[k].width * cells_per_unit_)),
                  static_cast<std::int32_t>(k));
    }
  }

  std::int64_t panel_size_ = 0;
  std::vector<Panel> panels_;
  std::vector<std::int32_t> cells_;  // the panel of each
  double lower_ = 0, cells_per_unit_ = 0;
  Buffer<Real> values_, coefficients_;  // of open panels; of all [panels, kTerms, 2, stride]
  Real largest_[2];                     // of G and dG/dx
};

// A block of inputs sorted by panel, so that those of a panel are a matrix T_m(t_p).
template <typename Real>
class SortedInputs {
 public:
  static constexpr std::int64_t kBlock = 256;  // most inputs

  void place(const NetSeries<Real> &series, const double *inputs, std::int64_t n) {
    n_ = n;
    start_.assign(series.n_panels() + 1, 0);
    double t[kBlock];
    for (std::int64_t p = 0; p < n; ++p) {
      panel_[p] = series.locate(inputs[p], t[p]);
      ++start_[panel_[p] + 1];
    }
    for (std::size_t panel = 1; panel < start_.size(); ++panel) start_[panel] += start_[panel - 1];
    for (std::int64_t p = 0; p < n; ++p) {
      std::int64_t &next = start_[panel_[p]];  // shifted back below
      order_[next] = p;
      terms_[1][next++] = static_cast<Real>(t[p]);
    }
    std::copy_backward(start_.begin(), start_.end() - 1, start_.end());
    start_[0] = 0;
    std::fill(terms_[0], terms_[0] + n, Real(1));
    for (std::int64_t m = 2; m < kTerms; ++m)
#pragma omp simd
      for (std::int64_t p = 0; p < n; ++p) terms_[m][p] = 2 * terms_[1][p] * terms_[m - 1][p] - terms_[m - 2][p];
  }

  // Fills out [n, width], G and dG/dx of each input.
  void evaluate(const NetSeries<Real> &series, std::int64_t width, Real *out) {
    provide(rows_, n_ * width);
    for_panels([&](std::int64_t panel, std::int64_t first, std::int64_t size) {
      multiply<Real>(size, width, kTerms, terms_[0] + first, 1, kBlock, series.coefficients(panel), width,
                     rows_.data() + first * width, width, false);
    });
    for (std::int64_t p = 0; p < n_; ++p)
      std::copy(rows_.data() + p * width, rows_.data() + (p + 1) * width, out + order_[p] * width);
  }

  // Adds T_m f_p of the inputs' factors f [n, width] to sums [panels, kTerms, width].
  void collect(const Real *factors, std::int64_t width, Real *sums) {
    provide(rows_, n_ * width);
    for (std::int64_t p = 0; p < n_; ++p)
      std::copy(factors + order_[p] * width, factors + (order_[p] + 1) * width, rows_.data() + p * width);
    for_panels([&](std::int64_t panel, std::int64_t first, std::int64_t size) {
      multiply<Real>(kTerms, width, size, terms_[0] + first, kBlock, 1, rows_.data() + first * width, width,
                     sums + panel * kTerms * width, width, true);
    });
  }

 private:
  static constexpr std::int64_t kTerms = NetSeries<Real>::kTerms;

  template <typename Visit>
  void for_panels(Visit visit) const {
    for (std::size_t panel = 0; panel + 1 < start_.size(); ++panel)
      if (start_[panel] < start_[panel + 1])
        visit(static_cast<std::int64_t>(panel), start_[panel], start_[panel + 1] - start_[panel]);
  }

  std::int64_t n_ = 0;
  std::vector<std::int64_t> start_;             // of each panel [panels + 1]
  std::int64_t panel_[kBlock], order_[kBlock];  // of the inputs; the inputs as they are sorted
  alignas(64) Real terms_[kTerms][kBlock];      // T_m of the sorted inputs
  Buffer<Real> rows_;                           // of the sorted inputs [n, width]
};

// All embedding nets, each as a series or as it is.
template <typename Real>
class PairFeatures {
 public:
  static constexpr std::int64_t kBlock = SortedInputs<Real>::kBlock;  // pairs of one net that are evaluated at once

  // The nets must outlive their use.
  void prepare(const std::vector<PackedNet<Real>> &nets, const std::vector<Inputs> &inputs) {
    nets_ = &nets;
    series_.resize(nets.size());
    for (std::size_t net = 0; net < nets.size(); ++net) series_[net].fit(nets[net], inputs[net], values_);
  }

  std::int64_t stride() const { return nets_->front().layers.back().width; }
  const NetSeries<Real> &series(std::int64_t net) const { return series_[net]; }

  // Fills out [n, 2, stride] for n <= kBlock.
  void evaluate(std::int64_t net, const double *inputs, std::int64_t n, Real *out) {
    if (!series(net).exists()) return values_.evaluate((*nets_)[net], inputs, n, out);
    sorted_.place(series(net), inputs, n);
    sorted_.evaluate(series(net), 2 * stride(), out);
  }

  // The same inputs, sorted by the panels of a series.
  SortedInputs<Real> &sorted(std::int64_t net, const double *inputs, std::int64_t n) {
    sorted_.place(series(net), inputs, n);
    return sorted_;
  }

 private:
  const std::vector<PackedNet<Real>> *nets_ = nullptr;
  std::vector<NetSeries<Real>> series_;
  NetValues<Real> values_;
  SortedInputs<Real> sorted_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
