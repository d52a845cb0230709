// Energies and pair gradients of device.hpp. Every number has one owner that adds in a fixed order.
#include "cuda/nep/invariants_device.hpp"
#include "cuda/nep/pair_functions.hpp"
#include "cuda/nep/warp.hpp"
#include "unit_harmonics.hpp"

namespace pwmlff::cuda {

namespace {

constexpr int kWarps = 4;           // of a block, at most
constexpr int kStride = kWarp + 1;  // from one harmonic of a tile of pairs to the next, for all banks to be used
constexpr int kNeurons = kWarp;     // that are looked at together

// Of a warp, in shared memory.
template <typename Real, typename Wide>
struct EvaluationMemory {
  Few<Wide> *sums;       // s [blocks, lm]
  Real *q, *by_q;        // [D] and room for a block behind them
  Real *by_neurons;      // dE/dz [kNeurons]
  int *waiting;          // see for_chosen_pairs
  Few<Wide> *functions;  // g_n of a tile of pairs, [kWarp]
  Wide *harmonics;       // b of these, [lm, kStride]
  Few<Real> *by_sums;    // dE/ds [blocks, lm], in the place of the two above, when all sums are found
  std::size_t size;

  PWMLFF_INLINE EvaluationMemory(void *memory, const DeviceNep<Real> &model, int n_harmonics) {
    Dealer dealer(memory);
    sums = dealer.take<Few<Wide>>(model.angular.blocks() * n_harmonics);
    q = dealer.take<Real>(model.n_descriptors + kFew);
    by_q = dealer.take<Real>(model.n_descriptors + kFew);
    by_neurons = dealer.take<Real>(kNeurons);
    waiting = dealer.take<int>(2 * kWarp);
    Dealer second = dealer;
    functions = dealer.take<Few<Wide>>(kWarp);
    harmonics = dealer.take<Wide>(n_harmonics * kStride);
    by_sums = second.take<Few<Real>>(model.angular.blocks() * n_harmonics);
    size = dealer.size() > second.size() ? dealer.size() : second.size();
  }
};

// One atom; L is l_max or more.
template <typename Real, typename Wide, int L>
class AtomEvaluation {
 public:
  static constexpr int kHarmonics = harmonics_up_to(L);

  __device__ AtomEvaluation(const DeviceNep<Real> &model, const Pairs &pairs, std::int64_t atom, void *memory)
      : model_(model),
        pairs_(pairs),
        memory_(memory, model, kHarmonics),
        first_(pairs.start[atom]),
        end_(pairs.start[atom + 1]),
        central_(static_cast<int>(pairs.atom_types[atom])) {}

  __device__ void describe() const {
    sum_radial();
    if (model_.l_max > 0) {
      sum_angular();
      find_invariants(model_, memory_.sums, kHarmonics, memory_.q + model_.radial.n_functions);
    }
    __syncwarp();
  }

  // The atom's energy, and dE/dq.
  __device__ Real find_energy() const {
    const int n_descriptors = model_.n_descriptors, n_neurons = model_.n_neurons;
    for (int d = lane(); d < n_descriptors + kFew; d += kWarp) memory_.by_q[d] = 0;
    Real energy = 0;
    for (int first = 0; first < n_neurons; first += kNeurons) {
      const int h = first + lane(), left = n_neurons - first < kNeurons ? n_neurons - first : kNeurons;
      Real by_neuron = 0;
      if (h < n_neurons) {
        const int neuron = central_ * n_neurons + h;
        const Real *weight = model_.by_input + central_ * n_descriptors * n_neurons + h;
        Real z = -model_.b0[neuron];
        for (int d = 0; d < n_descriptors; ++d) z += weight[d * n_neurons] * memory_.q[d];
        const Real y = std::tanh(z), w1 = model_.w1[neuron];
        energy += w1 * y;
        by_neuron = w1 * (Real(1) - y * y);
      }
      memory_.by_neurons[lane()] = by_neuron;
      __syncwarp();
      for (int d = lane(); d < n_descriptors; d += kWarp) {
        const Real *weight = model_.by_neuron + (central_ * n_neurons + first) * n_descriptors + d;
        Real sum = memory_.by_q[d];
        for (int k = 0; k < left; ++k) sum += memory_.by_neurons[k] * weight[k * n_descriptors];
        memory_.by_q[d] = sum;
      }
      __syncwarp();
    }
    return warp_sum(energy) - model_.b1[central_];
  }

  __device__ void find_gradients(double *gradients) const {
    find_radial(gradients);
    if (model_.l_max == 0) return;
    const Real *by_q = memory_.by_q + model_.radial.n_functions;
    for (int block = 0; block < model_.angular.blocks(); ++block)
      differentiate_invariants<false>(model_, block, sums_of(block), sums_of(block), kHarmonics, by_q, by_q,
                                      memory_.by_sums + block * kHarmonics);
    __syncwarp();
    add_angular(gradients);
  }

 private:
  __device__ int kind(std::int64_t pair) const {
    return central_ * model_.n_types + static_cast<int>(pairs_.pair_types[pair]);
  }
  __device__ NepPair<Wide> pair_at(std::int64_t pair) const { return NepPair<Wide>(pairs_.vectors + 3 * pair); }
  __device__ const Few<Wide> *sums_of(int block) const { return memory_.sums + block * kHarmonics; }

  // Calls work(pair, count) for those within the angular cutoff.
  template <typename Work>
  __device__ void for_angular_pairs(Work work) const {
    const auto is_near = [&](std::int64_t pair) { return pair_at(pair).is_within(model_.cutoffs[kind(pair)].angular); };
    for_chosen_pairs(first_, end_, memory_.waiting, is_near, work);
  }

  __device__ void sum_radial() const {
    const int n_functions = model_.radial.n_functions;
    for (int block = 0; block < model_.radial.blocks(); ++block) {
      Few<Wide> sums = {};
      for (std::int64_t pair = first_ + lane(); pair < end_; pair += kWarp) {
        const NepPair<Wide> geometry = pair_at(pair);
        const NepCutoff &cutoff = model_.cutoffs[kind(pair)];
        if (!geometry.is_within(cutoff.reach)) continue;
        const FallingSquare<Real> w(geometry, cutoff.inverse_radial);
        const Few<Real> g = radial_functions(model_.radial, kind(pair), block, w);
        for (int n = 0; n < kFew; ++n) sums.of[n] += g.of[n];
      }
      for (int k = 0; k < kFew; ++k) {
        const Wide sum = warp_sum(sums.of[k]);
        if (lane() == k && block * kFew + k < n_functions) memory_.q[block * kFew + k] = static_cast<Real>(sum);
      }
    }
  }

  __device__ void sum_angular() const {
    const int n_blocks = model_.angular.blocks();
    for (int at = lane(); at < n_blocks * kHarmonics; at += kWarp) memory_.sums[at] = {};
    __syncwarp();
    for_angular_pairs([&](std::int64_t pair, int count) {
      const NepPair<Wide> geometry = pair_at(pair);
      const FallingSquare<Wide> w(geometry, model_.cutoffs[kind(pair)].inverse_angular);
      Harmonics<Wide, Wide, L>(geometry.x, geometry.y, geometry.z).visit_values([&](int at, Wide value) {
        memory_.harmonics[at * kStride + lane()] = value;
      });
      for (int block = 0; block < n_blocks; ++block) {
        memory_.functions[lane()] = radial_functions(model_.angular, kind(pair), block, w);
        __syncwarp();
        for (int at = lane(); at < kHarmonics; at += kWarp) {
          const Wide *harmonics = memory_.harmonics + at * kStride;
          Few<Wide> sums = memory_.sums[block * kHarmonics + at];
          for (int p = 0; p < count; ++p)
            for (int n = 0; n < kFew; ++n) sums.of[n] += harmonics[p] * memory_.functions[p].of[n];
          memory_.sums[block * kHarmonics + at] = sums;
        }
        __syncwarp();
      }
    });
  }

  // Writes the gradients of all pairs through the radial numbers of the descriptor.
  __device__ void find_radial(double *gradients) const {
    for (std::int64_t pair = first_ + lane(); pair < end_; pair += kWarp) {
      const NepPair<Wide> geometry = pair_at(pair);
      const NepCutoff &cutoff = model_.cutoffs[kind(pair)];
      double *to = gradients + 3 * pair;
      to[0] = to[1] = to[2] = 0;
      if (!geometry.is_within(cutoff.reach)) continue;
      const FallingSquare<Real> w(geometry, cutoff.inverse_radial);
      Real along = 0;
      for (int block = 0; block < model_.radial.blocks(); ++block) {
        Few<Real> g, slope;
        radial_functions(model_.radial, kind(pair), block, w, g, slope);
        for (int n = 0; n < kFew; ++n) along += memory_.by_q[block * kFew + n] * slope.of[n];
      }
      to[0] = static_cast<double>(along * static_cast<Real>(geometry.x));
      to[1] = static_cast<double>(along * static_cast<Real>(geometry.y));
      to[2] = static_cast<double>(along * static_cast<Real>(geometry.z));
    }
    __syncwarp();
  }

  // Adds those through the angular ones.
  __device__ void add_angular(double *gradients) const {
    using Harmonics = pwmlff::Harmonics<Real, Real, L>;
    for_angular_pairs([&](std::int64_t pair, int count) {
      if (lane() >= count) return;
      const NepPair<Wide> geometry = pair_at(pair);
      const FallingSquare<Real> w(geometry, model_.cutoffs[kind(pair)].inverse_angular);
      const Harmonics harmonics(static_cast<Real>(geometry.x), static_cast<Real>(geometry.y),
                                static_cast<Real>(geometry.z));
      Real sum[3] = {};
      for (int block = 0; block < model_.angular.blocks(); ++block) {
        Few<Real> g, slope;
        radial_functions(model_.angular, kind(pair), block, w, g, slope);
        const Few<Real> *by_sums = memory_.by_sums + block * kHarmonics;
        const auto factor = [&](int at) {
          const Few<Real> by_sum = by_sums[at];
          typename Harmonics::Factor result = {};
          for (int n = 0; n < kFew; ++n) {
            result.value += by_sum.of[n] * g.of[n];
            result.slope += by_sum.of[n] * slope.of[n];
          }
          return result;
        };
        Real by_vector[3];
        harmonics.differentiate(factor, static_cast<Real>(geometry.inverse), by_vector);
        for (int c = 0; c < 3; ++c) sum[c] += by_vector[c];
      }
      for (int c = 0; c < 3; ++c) gradients[3 * pair + c] += static_cast<double>(sum[c]);
    });
  }

  const DeviceNep<Real> &model_;
  const Pairs &pairs_;
  EvaluationMemory<Real, Wide> memory_;
  std::int64_t first_, end_;
  int central_;
};

template <typename Real, typename Wide, int L>
__global__ void __launch_bounds__(kWarps *kWarp)
    evaluate_kernel(DeviceNep<Real> model, Pairs pairs, std::int64_t n_atoms, int bytes, double *energies,
                    double *gradients) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t atom = static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / kWarp) + warp;
  if (atom >= n_atoms) return;  // the whole warp
  void *const memory = reinterpret_cast<unsigned char *>(shared_memory) + warp * bytes;
  const AtomEvaluation<Real, Wide, L> evaluation(model, pairs, atom, memory);
  evaluation.describe();
  const Real energy = evaluation.find_energy();
  if (lane() == 0) energies[atom] = static_cast<double>(energy);
  evaluation.find_gradients(gradients);
}

template <typename Real, typename Wide, int L>
cudaError_t launch(const DeviceNep<Real> &model, const Pairs &pairs, std::int64_t n_atoms, double *energies,
                   double *gradients, cudaStream_t stream) {
  const std::size_t bytes = EvaluationMemory<Real, Wide>(nullptr, model, harmonics_up_to(L)).size;
  cudaLaunchConfig_t config = {};
  const cudaError_t status = set_warps(evaluate_kernel<Real, Wide, L>, bytes, kWarps, config);
  if (status != cudaSuccess) return status;
  const std::int64_t n_warps = config.blockDim.x / kWarp;
  config.gridDim = dim3(static_cast<unsigned>((n_atoms + n_warps - 1) / n_warps));
  config.stream = stream;
  return cudaLaunchKernelEx(&config, evaluate_kernel<Real, Wide, L>, model, pairs, n_atoms, static_cast<int>(bytes),
                            energies, gradients);
}

}  // namespace

// Two sizes of l_max are compiled: most models have 4.
template <typename Real>
cudaError_t evaluate_nep(const DeviceNep<Real> &model, bool has_double_geometry, const Pairs &pairs,
                         std::int64_t n_atoms, double *energies, double *gradients, cudaStream_t stream) {
  if (n_atoms == 0) return cudaSuccess;
  const auto run = [&](auto launcher) { return launcher(model, pairs, n_atoms, energies, gradients, stream); };
  if (model.l_max <= 4) return has_double_geometry ? run(launch<Real, double, 4>) : run(launch<Real, Real, 4>);
  return has_double_geometry ? run(launch<Real, double, 8>) : run(launch<Real, Real, 8>);
}

template cudaError_t evaluate_nep<double>(const DeviceNep<double> &, bool, const Pairs &, std::int64_t, double *,
                                          double *, cudaStream_t);
template cudaError_t evaluate_nep<float>(const DeviceNep<float> &, bool, const Pairs &, std::int64_t, double *,
                                         double *, cudaStream_t);

}  // namespace pwmlff::cuda
