// SPDX-License-Identifier: GPL-2.0-or-later

#include "deviation.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace LAMMPS_NS;

namespace {

// sum over K vectors of |x_k - <x>|^2 / K, vector k starting at data + k * stride
double variance(const double *data, std::size_t n_vectors, std::size_t stride, int width)
{
  double total = 0.0;
  for (int d = 0; d < width; d++) {
    double mean = 0.0;
    for (std::size_t k = 0; k < n_vectors; k++) mean += data[k * stride + d];
    mean /= static_cast<double>(n_vectors);
    for (std::size_t k = 0; k < n_vectors; k++) {
      const double distance = data[k * stride + d] - mean;
      total += distance * distance;
    }
  }
  return total / static_cast<double>(n_vectors);
}

// avg, min and max over the known atoms of all ranks
Spread spread(const std::vector<double> &values, const std::vector<char> &known, double n_known,
              MPI_Comm world)
{
  double sum = 0.0, least = std::numeric_limits<double>::infinity(), largest = 0.0;
  for (std::size_t i = 0; i < known.size(); i++) {
    if (!known[i]) continue;
    sum += values[i];
    least = std::min(least, values[i]);
    largest = std::max(largest, values[i]);
  }
  if (n_known == 0.0) return {};
  Spread result;
  MPI_Reduce(&sum, &result.avg, 1, MPI_DOUBLE, MPI_SUM, 0, world);
  MPI_Reduce(&least, &result.min, 1, MPI_DOUBLE, MPI_MIN, 0, world);
  MPI_Reduce(&largest, &result.max, 1, MPI_DOUBLE, MPI_MAX, 0, world);
  result.avg /= n_known;
  return result;
}

}    // namespace

void Deviation::reset(std::size_t n_models, std::size_t n_atoms)
{
  n_models_ = n_models;
  n_atoms_ = n_atoms;
  forces_.assign(3 * n_models * n_atoms + 1, 0.0);
  energies_.assign(n_models * n_atoms + 1, 0.0);
  virials_.assign(N_COMPONENTS * n_models, 0.0);
}

DeviationSummary Deviation::compute(const std::vector<char> &known, MPI_Comm world)
{
  force_deviation.assign(n_atoms_ + 1, 0.0);
  energy_deviation.assign(n_atoms_ + 1, 0.0);
  double n_here = 0.0, n_known = 0.0;
  for (std::size_t i = 0; i < n_atoms_; i++) {
    if (!known[i]) continue;
    n_here += 1.0;
    force_deviation[i] = std::sqrt(variance(&forces_[3 * i], n_models_, 3 * n_atoms_, 3));
    energy_deviation[i] = std::sqrt(variance(&energies_[i], n_models_, n_atoms_, 1));
  }
  MPI_Allreduce(&n_here, &n_known, 1, MPI_DOUBLE, MPI_SUM, world);
  DeviationSummary result;
  result.force = spread(force_deviation, known, n_known, world);
  result.energy = spread(energy_deviation, known, n_known, world);
  result.virial = virial_spread(n_known, world);
  return result;
}

Spread Deviation::virial_spread(double n_known, MPI_Comm world) const
{
  std::vector<double> total(virials_.size());
  MPI_Reduce(virials_.data(), total.data(), static_cast<int>(total.size()), MPI_DOUBLE, MPI_SUM, 0,
             world);
  if (n_known == 0.0) return {};
  Spread result;
  result.min = std::numeric_limits<double>::infinity();
  double sum_of_squares = 0.0;
  for (std::size_t d = 0; d < N_COMPONENTS; d++) {
    const double square = variance(&total[d], n_models_, N_COMPONENTS, 1) / (n_known * n_known);
    sum_of_squares += square;
    result.min = std::min(result.min, std::sqrt(square));
    result.max = std::max(result.max, std::sqrt(square));
  }
  result.avg = std::sqrt(sum_of_squares / N_COMPONENTS);
  return result;
}

double Deviation::bytes() const
{
  return static_cast<double>((forces_.capacity() + energies_.capacity() + virials_.capacity() +
                              force_deviation.capacity() + energy_deviation.capacity()) *
                             sizeof(double));
}
