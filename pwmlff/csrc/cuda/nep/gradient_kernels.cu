// Gradients by the weights of device.hpp; the mathematics is in core/nep/weight_gradients.hpp. All numbers are float64.
//
// A warp goes through the atoms of one slice of one part, for one sum, and adds to a row of its own. Every number has
// one owner that adds in a fixed order.
#include "cuda/nep/invariants_device.hpp"
#include "cuda/nep/pair_functions.hpp"
#include "cuda/nep/warp.hpp"
#include "unit_harmonics.hpp"

namespace pwmlff::cuda {

namespace {

constexpr int kStride = kWarp + 1;  // from one row over the pairs of a tile to the next, for all banks to be used

// Of a warp, in shared memory. A tile is up to kWarp pairs.
struct GradientMemory {
  double *q, *q1, *by_q, *by_q1;  // q and its change q', dS/dq and dS/dq' = dE/dq [D], and room for a block behind them
  double *by_z, *by_z1;           // likewise of the inputs of neurons, [kWarp]
  Few<double> *sums, *changes;    // s and s' [blocks, lm]
  int *waiting;                   // see for_chosen_pairs
  Few<double> *functions, *stretched;    // g_n and its change of a tile, then dS/d of these, [kWarp]
  double *harmonics, *harmonic_changes;  // b and b' of a tile, [lm, kStride]
  // in the place of these, when all sums are found
  Few<double> *by_sums, *by_changes;  // dS/ds and dS/ds' of a block, [lm]
  double *basis, *basis_changes;      // f_k and their changes of a tile, [kWarp of k, kStride], then summed over pairs
  std::size_t size;

  PWMLFF_INLINE GradientMemory(void *memory, const DeviceNep<double> &model, int n_harmonics) {
    Dealer dealer(memory);
    for (double **numbers : {&q, &q1, &by_q, &by_q1}) *numbers = dealer.take<double>(model.n_descriptors + kFew);
    for (double **numbers : {&by_z, &by_z1}) *numbers = dealer.take<double>(kWarp);
    for (Few<double> **rows : {&sums, &changes}) *rows = dealer.take<Few<double>>(model.angular.blocks() * n_harmonics);
    waiting = dealer.take<int>(2 * kWarp);
    for (Few<double> **rows : {&functions, &stretched}) *rows = dealer.take<Few<double>>(kWarp);
    Dealer second = dealer;
    for (double **numbers : {&harmonics, &harmonic_changes}) *numbers = dealer.take<double>(n_harmonics * kStride);
    for (Few<double> **rows : {&by_sums, &by_changes}) *rows = second.take<Few<double>>(n_harmonics);
    for (double **numbers : {&basis, &basis_changes}) *numbers = second.take<double>(kWarp * kStride);
    size = dealer.size() > second.size() ? dealer.size() : second.size();
  }
};

// A pair and its change along the direction of its sum.
struct ChangingPair : NepPair<double> {
  double length, dx, dy, dz;  // changes of the distance and of the unit vector

  // Without a direction nothing changes.
  __device__ ChangingPair(const double *vector, const double *direction) : NepPair<double>(vector) {
    double d[3] = {};
    for (int c = 0; c < 3; ++c)
      if (direction) d[c] = direction[c];
    length = d[0] * x + d[1] * y + d[2] * z;
    dx = inverse * (d[0] - length * x);
    dy = inverse * (d[1] - length * y);
    dz = inverse * (d[2] - length * z);
  }
};

// One atom in one sum; L is l_max or more.
template <int L>
class AtomGradient {
 public:
  static constexpr int kHarmonics = harmonics_up_to(L);

  // by_energy and directions [pairs of all atoms, 3] or null: the atom's factors in the sum.
  __device__ AtomGradient(const DeviceNep<double> &model, const Pairs &pairs, const GradientMemory &memory,
                          std::int64_t atom, double by_energy, const double *directions)
      : model_(model),
        pairs_(pairs),
        memory_(memory),
        directions_(directions),
        first_(pairs.start[atom]),
        end_(pairs.start[atom + 1]),
        by_energy_(by_energy),
        central_(static_cast<int>(pairs.atom_types[atom])) {}

  // Adds to the row of the sum.
  __device__ void add_to(const double *scaler, double *row) const {
    const int n_types = model_.n_types;
    const std::int64_t n_radial = n_types * size_of(model_.radial), n_angular = n_types * size_of(model_.angular);
    const std::int64_t n_net = model_.n_neurons * (model_.n_descriptors + 2) + 1;
    describe();
    differentiate_net(scaler, row + n_types * (n_radial + n_angular) + central_ * n_net);
    differentiate_radial(row + central_ * n_radial);
    if (model_.l_max > 0) differentiate_angular(row + n_types * n_radial + central_ * n_angular);
  }

 private:
  // Coefficients of a kind of pair.
  __device__ static std::int64_t size_of(const NepFunctions<double> &functions) {
    return functions.n_functions * functions.n_basis;
  }
  __device__ int neighbor(std::int64_t pair) const { return static_cast<int>(pairs_.pair_types[pair]); }
  __device__ int kind(std::int64_t pair) const { return central_ * model_.n_types + neighbor(pair); }
  __device__ const NepCutoff &cutoff(std::int64_t pair) const { return model_.cutoffs[kind(pair)]; }
  __device__ ChangingPair pair_at(std::int64_t pair) const {
    return {pairs_.vectors + 3 * pair, directions_ ? directions_ + 3 * pair : nullptr};
  }
  __device__ bool is_angular(std::int64_t pair) const {
    return NepPair<double>(pairs_.vectors + 3 * pair).is_within(cutoff(pair).angular);
  }
  __device__ bool is_radial(std::int64_t pair) const {
    return NepPair<double>(pairs_.vectors + 3 * pair).is_within(cutoff(pair).reach);
  }

  // The least type of a neighbour that is larger than this, n_types if there is none.
  __device__ int next_type(int type) const {
    int least = model_.n_types;
    for (std::int64_t pair = first_ + lane(); pair < end_; pair += kWarp)
      if (neighbor(pair) > type && neighbor(pair) < least) least = neighbor(pair);
    return warp_least(least);
  }

  // q and q'
  __device__ void describe() const {
    for (int block = 0; block < model_.radial.blocks(); ++block) sum_radial(block);
    if (model_.l_max > 0) {
      sum_angular();
      const int first = model_.radial.n_functions;
      find_invariants(model_, memory_.sums, kHarmonics, memory_.q + first);
      find_changes(model_, memory_.sums, memory_.changes, kHarmonics, memory_.q1 + first);
    }
    __syncwarp();
  }

  __device__ void sum_radial(int block) const {
    Few<double> sums = {}, changes = {};
    for (std::int64_t pair = first_ + lane(); pair < end_; pair += kWarp) {
      const ChangingPair geometry = pair_at(pair);
      if (!geometry.is_within(cutoff(pair).reach)) continue;
      Few<double> g, slope;
      const FallingSquare<double> w(geometry, cutoff(pair).inverse_radial);
      radial_functions(model_.radial, kind(pair), block, w, g, slope);
      for (int n = 0; n < kFew; ++n) {
        sums.of[n] += g.of[n];
        changes.of[n] += geometry.length * slope.of[n];
      }
    }
    for (int k = 0; k < kFew; ++k) {
      const double sum = warp_sum(sums.of[k]), change = warp_sum(changes.of[k]);
      if (lane() != k || block * kFew + k >= model_.radial.n_functions) continue;
      memory_.q[block * kFew + k] = sum;
      memory_.q1[block * kFew + k] = change;
    }
  }

  __device__ void sum_angular() const {
    const int n_blocks = model_.angular.blocks();
    for (int at = lane(); at < n_blocks * kHarmonics; at += kWarp) memory_.sums[at] = memory_.changes[at] = {};
    __syncwarp();
    const auto choose = [&](std::int64_t pair) { return is_angular(pair); };
    for_chosen_pairs(first_, end_, memory_.waiting, choose, [&](std::int64_t pair, int count) {
      const ChangingPair geometry = pair_at(pair);
      const FallingSquare<double> w(geometry, cutoff(pair).inverse_angular);
      const Harmonics<double, double, L> harmonics(geometry.x, geometry.y, geometry.z);
      harmonics.visit_values([&](int at, double b) { memory_.harmonics[at * kStride + lane()] = b; });
      harmonics.visit_changes(geometry.dx, geometry.dy, geometry.dz,
                              [&](int at, double b) { memory_.harmonic_changes[at * kStride + lane()] = b; });
      for (int block = 0; block < n_blocks; ++block) {
        Few<double> g, slope;
        radial_functions(model_.angular, kind(pair), block, w, g, slope);
        for (double &number : slope.of) number *= geometry.length;
        memory_.functions[lane()] = g;
        memory_.stretched[lane()] = slope;
        __syncwarp();
        for (int at = lane(); at < kHarmonics; at += kWarp) add_tile(at, block * kHarmonics + at, count);
        __syncwarp();
      }
    });
  }

  // s += sum g b and s' += sum (g b' + g' b) over a tile
  __device__ void add_tile(int harmonic, int to, int count) const {
    const double *b = memory_.harmonics + harmonic * kStride, *b1 = memory_.harmonic_changes + harmonic * kStride;
    Few<double> sums = memory_.sums[to], changes = memory_.changes[to];
    for (int p = 0; p < count; ++p)
      for (int n = 0; n < kFew; ++n) {
        sums.of[n] += memory_.functions[p].of[n] * b[p];
        changes.of[n] += memory_.functions[p].of[n] * b1[p] + memory_.stretched[p].of[n] * b[p];
      }
    memory_.sums[to] = sums;
    memory_.changes[to] = changes;
  }

  // dS/dq and dS/dq'; adds the derivatives by w0, b0, w1 and b1. With y = tanh(z) of a neuron, S holds e w1 y and
  // w1 (1 - y^2) z'.
  __device__ void differentiate_net(const double *scaler, double *row) const {
    const int n_descriptors = model_.n_descriptors, n_neurons = model_.n_neurons, n_first = n_neurons * n_descriptors;
    for (int d = lane(); d < n_descriptors + kFew; d += kWarp) memory_.by_q[d] = memory_.by_q1[d] = 0;
    for (int first = 0; first < n_neurons; first += kWarp) {
      const int h = first + lane(), left = n_neurons - first < kWarp ? n_neurons - first : kWarp;
      if (h < n_neurons) {
        const double *weight = model_.by_input + central_ * n_first + h;
        double z = -model_.b0[central_ * n_neurons + h], z1 = 0;
        for (int d = 0; d < n_descriptors; ++d) {
          z += weight[d * n_neurons] * memory_.q[d];
          z1 += weight[d * n_neurons] * memory_.q1[d];
        }
        const double y = std::tanh(z), slope = 1 - y * y, w1 = model_.w1[central_ * n_neurons + h];
        const double by_z = w1 * slope * (by_energy_ - 2 * y * z1);
        memory_.by_z[lane()] = by_z;
        memory_.by_z1[lane()] = w1 * slope;
        row[n_first + h] -= by_z;
        row[n_first + n_neurons + h] += by_energy_ * y + slope * z1;
      }
      __syncwarp();
      for (int d = lane(); d < n_descriptors; d += kWarp) {
        const double *weight = model_.by_neuron + central_ * n_first + first * n_descriptors + d;
        double *to = row + first * n_descriptors + d, sum = memory_.by_q[d], sum1 = memory_.by_q1[d];
        const double q = scaler[d] * memory_.q[d], q1 = scaler[d] * memory_.q1[d];
        for (int k = 0; k < left; ++k) {
          sum += memory_.by_z[k] * weight[k * n_descriptors];
          sum1 += memory_.by_z1[k] * weight[k * n_descriptors];
          to[k * n_descriptors] += memory_.by_z[k] * q + memory_.by_z1[k] * q1;
        }
        memory_.by_q[d] = sum;
        memory_.by_q1[d] = sum1;
      }
      __syncwarp();
    }
    if (lane() == 0) row[n_first + 2 * n_neurons] -= by_energy_;
  }

  // Of the lane's pair of a tile: f_k for k = first.., and their changes, into `basis`.
  __device__ void fill_basis(const ChangingPair &geometry, double inverse_radius, int first, int count) const {
    const FallingSquare<double> w(geometry, inverse_radius);
    const double along = w.slope * geometry.length;
    nep::BasisFunctions<double, double> at(w.value);
    const double value0 = at.value(), slope0 = at.slope();
    for (int k = 0; k < first; ++k) at.advance();
    for (int k = 0; k < count; ++k, at.advance()) {
      const bool is_first = first + k == 0;  // f_0 = f_c, the others are half of the sum of f_c and f_c T_k
      memory_.basis[k * kStride + lane()] = is_first ? value0 : 0.5 * (value0 + at.value());
      memory_.basis_changes[k * kStride + lane()] = along * (is_first ? slope0 : 0.5 * (slope0 + at.slope()));
    }
  }

  // c_nk gains dS/dq_n sum f_k + dS/dq'_n sum f'_k over the neighbours of a type.
  __device__ void differentiate_radial(double *row) const {
    const int n_functions = model_.radial.n_functions, n_basis = model_.radial.n_basis;
    for (int type = next_type(-1); type < model_.n_types; type = next_type(type))
      for (int first = 0; first < n_basis; first += kWarp) {
        const int left = n_basis - first < kWarp ? n_basis - first : kWarp;
        const double *basis = memory_.basis + lane() * kStride, *changes = memory_.basis_changes + lane() * kStride;
        double sum = 0, change = 0;
        const auto choose = [&](std::int64_t pair) { return neighbor(pair) == type && is_radial(pair); };
        for_chosen_pairs(first_, end_, memory_.waiting, choose, [&](std::int64_t pair, int count) {
          fill_basis(pair_at(pair), cutoff(pair).inverse_radial, first, left);
          __syncwarp();
          for (int p = 0; p < count && lane() < left; ++p) {
            sum += basis[p];
            change += changes[p];
          }
          __syncwarp();
        });
        memory_.by_z[lane()] = sum;
        memory_.by_z1[lane()] = change;
        __syncwarp();
        for (int item = lane(); item < n_functions * left; item += kWarp) {
          const int n = item / left, k = item % left;
          row[(type * n_functions + n) * n_basis + first + k] +=
              memory_.by_q[n] * memory_.by_z[k] + memory_.by_q1[n] * memory_.by_z1[k];
        }
        __syncwarp();
      }
  }

  // c_nk gains the sum of f_k dS/dg_n + f'_k dS/dg'_n over the neighbours of a type.
  __device__ void differentiate_angular(double *row) const {
    const int n_functions = model_.angular.n_functions, n_basis = model_.angular.n_basis;
    const double *by_q = memory_.by_q + model_.radial.n_functions, *by_q1 = memory_.by_q1 + model_.radial.n_functions;
    for (int block = 0; block < model_.angular.blocks(); ++block) {
      const Few<double> *sums = memory_.sums + block * kHarmonics, *changes = memory_.changes + block * kHarmonics;
      differentiate_invariants<true>(model_, block, sums, changes, kHarmonics, by_q, by_q1, memory_.by_sums);
      differentiate_invariants<false>(model_, block, sums, changes, kHarmonics, by_q1, by_q1, memory_.by_changes);
      __syncwarp();
      for (int type = next_type(-1); type < model_.n_types; type = next_type(type))
        for (int first = 0; first < n_basis; first += kWarp) {
          const Few<double> result = sum_coefficients(type, first);
          const int k = first + lane();
          double *to = row + (type * n_functions + block * kFew) * n_basis + k;
          for (int n = 0; n < kFew; ++n)
            if (k < n_basis && block * kFew + n < n_functions) to[n * n_basis] += result.of[n];
        }
    }
  }

  // By the lane's k of first.. and the functions of a block.
  __device__ Few<double> sum_coefficients(int type, int first) const {
    const int left = model_.angular.n_basis - first < kWarp ? model_.angular.n_basis - first : kWarp;
    const double *basis = memory_.basis + lane() * kStride, *changes = memory_.basis_changes + lane() * kStride;
    Few<double> result = {};
    const auto choose = [&](std::int64_t pair) { return neighbor(pair) == type && is_angular(pair); };
    for_chosen_pairs(first_, end_, memory_.waiting, choose, [&](std::int64_t pair, int count) {
      const ChangingPair geometry = pair_at(pair);
      fill_basis(geometry, cutoff(pair).inverse_angular, first, left);
      differentiate_functions(geometry);
      __syncwarp();
      for (int p = 0; p < count && lane() < left; ++p)
        for (int n = 0; n < kFew; ++n)
          result.of[n] += basis[p] * memory_.functions[p].of[n] + changes[p] * memory_.stretched[p].of[n];
      __syncwarp();
    });
    return result;
  }

  // dS/dg_n = b dS/ds + b' dS/ds' and dS/dg'_n = b dS/ds' of the lane's pair of a tile, summed over lm.
  __device__ void differentiate_functions(const ChangingPair &geometry) const {
    const Harmonics<double, double, L> harmonics(geometry.x, geometry.y, geometry.z);
    Few<double> by_functions = {}, by_stretched = {};
    harmonics.visit_values([&](int at, double b) {
      const Few<double> by_sum = memory_.by_sums[at], by_change = memory_.by_changes[at];
      for (int n = 0; n < kFew; ++n) {
        by_functions.of[n] += b * by_sum.of[n];
        by_stretched.of[n] += b * by_change.of[n];
      }
    });
    harmonics.visit_changes(geometry.dx, geometry.dy, geometry.dz, [&](int at, double b) {
      const Few<double> by_change = memory_.by_changes[at];
      for (int n = 0; n < kFew; ++n) by_functions.of[n] += b * by_change.of[n];
    });
    memory_.functions[lane()] = by_functions;
    memory_.stretched[lane()] = by_stretched;
  }

  const DeviceNep<double> &model_;
  const Pairs &pairs_;
  const GradientMemory &memory_;
  const double *directions_;
  std::int64_t first_, end_;
  double by_energy_;
  int central_;
};

template <int L>
__global__ void __launch_bounds__(kWarp, 1)
    differentiate_kernel(DeviceNep<double> model, const double *scaler, Pairs pairs, NepCotangents cotangents,
                         std::int64_t n_weights, double *rows) {
  const std::int64_t k = blockIdx.x % cotangents.n_sums, slice = blockIdx.x / cotangents.n_sums % cotangents.n_slices;
  const std::int64_t part = blockIdx.x / cotangents.n_sums / cotangents.n_slices;
  const GradientMemory memory(shared_memory, model, harmonics_up_to(L));
  const double *by_energies = cotangents.by_energies + k * cotangents.n_atoms, *directions = nullptr;
  if (k < cotangents.n_directed) directions = cotangents.by_gradients + 3 * k * cotangents.n_pairs;
  const std::int64_t end = cotangents.part_start[part + 1];
  for (std::int64_t atom = cotangents.part_start[part] + slice; atom < end; atom += cotangents.n_slices) {
    const AtomGradient<L> gradient(model, pairs, memory, atom, by_energies[atom], directions);
    gradient.add_to(scaler, rows + blockIdx.x * n_weights);
    __syncwarp();
  }
}

template <int L>
cudaError_t launch(const DeviceNep<double> &model, const double *scaler, const Pairs &pairs,
                   const NepCotangents &cotangents, double *rows, cudaStream_t stream) {
  const std::size_t bytes = GradientMemory(nullptr, model, harmonics_up_to(L)).size;
  const std::int64_t n_types = model.n_types, of_type = model.n_neurons * (model.n_descriptors + 2) + 1;
  const std::int64_t of_kind =
      model.radial.n_functions * model.radial.n_basis + model.angular.n_functions * model.angular.n_basis;
  cudaLaunchConfig_t config = {};
  const cudaError_t status = set_warps(differentiate_kernel<L>, bytes, 1, config);
  if (status != cudaSuccess) return status;
  config.gridDim = dim3(static_cast<unsigned>(cotangents.n_parts * cotangents.n_slices * cotangents.n_sums));
  config.stream = stream;
  return cudaLaunchKernelEx(&config, differentiate_kernel<L>, model, scaler, pairs, cotangents,
                            n_types * n_types * of_kind + n_types * of_type, rows);
}

}  // namespace

cudaError_t differentiate_nep(const DeviceNep<double> &model, const double *scaler, const Pairs &pairs,
                              const NepCotangents &cotangents, double *rows, cudaStream_t stream) {
  if (cotangents.n_parts * cotangents.n_sums * cotangents.n_atoms == 0) return cudaSuccess;
  return model.l_max <= 4 ? launch<4>(model, scaler, pairs, cotangents, rows, stream)
                          : launch<8>(model, scaler, pairs, cotangents, rows, stream);
}

}  // namespace pwmlff::cuda
