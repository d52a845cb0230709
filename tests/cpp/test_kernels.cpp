// Exponential, activations, products and nets, for every instruction set of this processor, against plain loops.
#include <algorithm>
#include <cmath>
#include <limits>

#include "helpers.hpp"
#include "probes.hpp"

using namespace pwmlff;

namespace pwmlff {

template <typename Real>
std::vector<Probes<Real>> all_probes() {
  std::vector<Probes<Real>> sets;
#define PWMLFF_ADD_PROBES(isa) \
  if (processor_isa() >= Isa::isa) sets.push_back(isa::probes<Real>());
  PWMLFF_FOR_EACH_ISA(PWMLFF_ADD_PROBES)
#undef PWMLFF_ADD_PROBES
  return sets;
}

}  // namespace pwmlff

namespace {

// The net of nets.hpp in the plainest way.
std::vector<double> plain_net(const NetView<double> &net, std::vector<double> x) {
  const double *next = net.parameters;
  for (std::size_t l = 0; l < net.widths.size(); ++l) {
    const std::size_t n_in = x.size(), n_out = net.widths[l];
    std::vector<double> y(n_out);
    for (std::size_t j = 0; j < n_out; ++j) {
      double z = next[n_out * n_in + j];
      for (std::size_t k = 0; k < n_in; ++k) z += next[j * n_in + k] * x[k];
      const double a = net.activations[l] == ActivationKind::tanh ? std::tanh(z) : 1.0 / (1.0 + std::exp(-z));
      y[j] = next[n_out * (n_in + 1) + j] * a;
      if (l > 0 && (n_out == n_in || n_out == 2 * n_in)) y[j] += x[j % n_in];
    }
    next += n_out * (n_in + 2);
    x = y;
  }
  return x;
}

template <typename Real>
constexpr double kEpsilon = std::numeric_limits<Real>::epsilon();

struct Shape {
  std::int64_t n_in;
  std::vector<std::int64_t> widths;
  ActivationKind activation;

  std::vector<ActivationKind> activations() const { return std::vector<ActivationKind>(widths.size(), activation); }
};

// links to layers of equal and of doubled width and none, widths that fill vectors and that do not
const Shape kShapes[] = {
    {1, {5, 10, 10, 7}, ActivationKind::tanh},
    {3, {16, 32, 32}, ActivationKind::sigmoid},
    {8, {8, 8}, ActivationKind::tanh},
    {2, {1}, ActivationKind::sigmoid},
};

}  // namespace

TEST_CASE("the processor's instruction set is the widest that is tested") {
  const auto probes = all_probes<double>();
  CHECK(probes.back().isa == processor_isa());
  CHECK(std::string(isa_name(processor_isa())).size() > 0);
}

TEST_CASE_TEMPLATE("exponential", Real, double, float) {
  const double limit = sizeof(Real) == 8 ? 700 : 80;
  for (const Probes<Real> &probes : all_probes<Real>()) {
    CAPTURE(isa_name(probes.isa));
    double worst = 0;
    for (int k = 0; k <= 20000; ++k) {
      const Real x = static_cast<Real>(limit * (k / 10000.0 - 1));
      const double expected = std::exp(static_cast<double>(x));
      worst = std::max(worst, std::abs(probes.exponential(x) - expected) / expected);
    }
    CHECK(worst < 4 * kEpsilon<Real>);
    CHECK(probes.exponential(Real(0)) == 1);
    CHECK(std::isnan(probes.exponential(std::numeric_limits<Real>::quiet_NaN())));
  }
}

TEST_CASE_TEMPLATE("activations", Real, double, float) {
  const Real infinity = std::numeric_limits<Real>::infinity(), nan = std::numeric_limits<Real>::quiet_NaN();
  for (const Probes<Real> &probes : all_probes<Real>()) {
    CAPTURE(isa_name(probes.isa));
    double worst_tanh = 0, worst_sigmoid = 0;
    for (int k = -20000; k <= 20000; ++k) {
      const Real x = static_cast<Real>(k * 0.0025);
      const double exact = static_cast<double>(x);
      worst_tanh = std::max(worst_tanh, std::abs(probes.tanh(x) - std::tanh(exact)));
      worst_sigmoid = std::max(worst_sigmoid, std::abs(probes.sigmoid(x) - 1 / (1 + std::exp(-exact))));
    }
    CHECK(worst_tanh < 4 * kEpsilon<Real>);
    CHECK(worst_sigmoid < 4 * kEpsilon<Real>);
    CHECK(probes.tanh(infinity) == doctest::Approx(1));
    CHECK(probes.tanh(-infinity) == doctest::Approx(-1));
    CHECK(probes.sigmoid(-infinity) == doctest::Approx(0));
    CHECK(std::isnan(probes.tanh(nan)));
    CHECK(std::isnan(probes.sigmoid(nan)));
  }
}

TEST_CASE_TEMPLATE("products of all sizes that differ in their tiles", Real, double, float) {
  for (const Probes<Real> &probes : all_probes<Real>()) {
    CAPTURE(isa_name(probes.isa));
    for (const std::int64_t rows : {1, 2, 3, 4, 7, 8, 9, 17})
      for (std::int64_t vectors = 1; vectors <= 7; ++vectors)
        for (const std::int64_t depth : {0, 1, 5})
          for (const bool is_transposed : {false, true}) {
            const std::int64_t columns = vectors * probes.lanes, b_row = columns + 3, c_row = columns + 1;
            const auto a = random_numbers<Real>(std::max<std::int64_t>(1, rows * depth), 1);
            const auto b = random_numbers<Real>(std::max<std::int64_t>(1, depth * b_row), 2);
            const std::int64_t a_row = is_transposed ? 1 : depth, a_column = is_transposed ? rows : 1;
            for (const bool accumulate : {false, true}) {
              const auto before = random_numbers<Real>(rows * c_row, 3);
              auto c = before;
              probes.multiply(rows, columns, depth, a.data(), a_row, a_column, b.data(), b_row, c.data(), c_row,
                              accumulate);
              double worst = 0;
              for (std::int64_t i = 0; i < rows; ++i) {
                for (std::int64_t j = 0; j < columns; ++j) {
                  double sum = accumulate ? before[i * c_row + j] : 0;
                  for (std::int64_t l = 0; l < depth; ++l)
                    sum += static_cast<double>(a[i * a_row + l * a_column]) * b[l * b_row + j];
                  worst = std::max(worst, std::abs(sum - c[i * c_row + j]));
                }
                CHECK(c[i * c_row + columns] == before[i * c_row + columns]);  // between the rows
              }
              REQUIRE(worst < 8 * kEpsilon<Real>);
            }
          }
  }
}

TEST_CASE_TEMPLATE("nets and their derivatives along the inputs", Real, double, float) {
  constexpr std::int64_t n = 5;
  const double tolerance = sizeof(Real) == 8 ? 1e-9 : 2e-5;
  for (const Probes<Real> &probes : all_probes<Real>())
    for (const Shape &shape : kShapes) {
      CAPTURE(isa_name(probes.isa));
      CAPTURE(shape.n_in);
      const auto parameters = random_numbers<Real>(net_parameter_count(shape.n_in, shape.widths), 4);
      const auto x = random_numbers<Real>(n * shape.n_in, 5), x1 = random_numbers<Real>(n * shape.n_in, 6);
      const auto output = probes.net({parameters.data(), shape.n_in, shape.widths, shape.activations()}, x, x1);
      const std::vector<double> exact(parameters.begin(), parameters.end());
      const NetView<double> view{exact.data(), shape.n_in, shape.widths, shape.activations()};
      const std::int64_t n_out = shape.widths.back();
      REQUIRE(static_cast<std::int64_t>(output.y.size()) == n * n_out);
      for (std::int64_t e = 0; e < n; ++e)
        for (std::int64_t j = 0; j < n_out; ++j) {
          const auto at = [&](double step) {
            std::vector<double> moved(shape.n_in);
            for (std::int64_t k = 0; k < shape.n_in; ++k)
              moved[k] = x[e * shape.n_in + k] + step * x1[e * shape.n_in + k];
            return plain_net(view, moved)[j];
          };
          CHECK(std::abs(output.y[e * n_out + j] - at(0)) < tolerance);
          CHECK(std::abs(output.y1[e * n_out + j] - slope(at, 1e-3)) < tolerance);
        }
    }
}

TEST_CASE("gradients of nets, and of their derivatives, by parameters and inputs") {
  constexpr std::int64_t n = 3;
  for (const Probes<double> &probes : all_probes<double>())
    for (const Shape &shape : kShapes) {
      CAPTURE(isa_name(probes.isa));
      CAPTURE(shape.n_in);
      const std::int64_t n_out = shape.widths.back();
      auto parameters = random_numbers<double>(net_parameter_count(shape.n_in, shape.widths), 7);
      auto x = random_numbers<double>(n * shape.n_in, 8);
      const auto x1 = random_numbers<double>(n * shape.n_in, 9);
      const auto bar = random_numbers<double>(n * n_out, 10), bar1 = random_numbers<double>(n * n_out, 11);
      const NetView<double> view{parameters.data(), shape.n_in, shape.widths, shape.activations()};
      const auto gradients = probes.net_gradients(view, x, x1, bar, bar1);
      const auto value = [&] {
        const auto outputs = probes.net(view, x, x1);
        double sum = 0;
        for (std::int64_t k = 0; k < n * n_out; ++k) sum += bar[k] * outputs.y[k] + bar1[k] * outputs.y1[k];
        return sum;
      };
      const auto of_values = [&] {
        const auto outputs = probes.net(view, x, x1);
        double sum = 0;
        for (std::int64_t k = 0; k < n * n_out; ++k) sum += bar1[k] * outputs.y[k];
        return sum;
      };
      const auto by = [&](double &number, auto function) {
        const double before = number;
        const double result = slope(
            [&](double step) {
              number = before + step;
              return function();
            },
            1e-3);
        number = before;
        return result;
      };
      for (std::size_t k = 0; k < parameters.size(); k += 1 + parameters.size() / 60) {
        CHECK(std::abs(gradients.parameters[k] - by(parameters[k], value)) < 1e-8);
        CHECK(std::abs(gradients.of_values[k] - by(parameters[k], of_values)) < 1e-8);
      }
      for (std::size_t k = 0; k < x.size(); ++k) CHECK(std::abs(gradients.x[k] - by(x[k], value)) < 1e-8);
    }
}
