// Embedding features of a chunk by nets; G and dG/ds of its pairs are kept between the two passes.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include "dp/chunk.hpp"
#include "dp/contraction.hpp"
#include "dp/model.hpp"
#include "dp/net_series.hpp"
#include "evaluator.hpp"
#include "packed_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

// The inputs of each embedding net from the atoms first..last.
inline std::vector<Inputs> inputs_of_nets(const Pairs &pairs, const std::vector<Environment> &environments,
                                          bool has_net_per_pair, std::int64_t first, std::int64_t last) {
  struct Squares {
    double least = std::numeric_limits<double>::infinity(), most = 0;
    std::int64_t count = 0;
  };
  const auto n_types = static_cast<std::int64_t>(environments.size());
  std::vector<Squares> squares(n_types * n_types);
  for (std::int64_t i = first; i < last; ++i)
    for (std::int64_t e = pairs.start[i]; e < pairs.start[i + 1]; ++e) {
      const double *v = pairs.vectors + 3 * e, square = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
      Squares &own = squares[pairs.atom_types[i] * n_types + pairs.pair_types[e]];
      own.least = std::min(own.least, square);
      own.most = std::max(own.most, square);
      ++own.count;
    }
  std::vector<Inputs> result(has_net_per_pair ? n_types * n_types : n_types);
  for (std::int64_t k = 0; k < n_types * n_types; ++k) {
    if (squares[k].count == 0) continue;
    const Environment &environment = environments[k / n_types];
    result[has_net_per_pair ? k : k % n_types].add(environment.input_at(std::sqrt(squares[k].most)),
                                                   environment.input_at(std::sqrt(squares[k].least)), squares[k].count);
  }
  return result;
}

template <typename Real, typename Wide>
class NetFeatures {
 public:
  // Buffers of one thread.
  struct Workspace {
    PairFeatures<Real> pair_features;
    Buffer<Real> features;  // G and dG/ds of the chunk's pairs [pairs, 2, stride]
  };

  explicit NetFeatures(const dp::Model<Real> &model)
      : n_types_(model.n_types), has_net_per_pair_(model.has_net_per_pair) {
    for (const NetView<Real> &net : model.embedding) nets_.emplace_back(net);
  }

  std::int64_t n_features() const { return nets_.front().layers.back().n_out; }
  const std::vector<PackedNet<Real>> &nets() const { return nets_; }

  void prepare(const Pairs &pairs, const std::vector<Environment> &environments, std::int64_t first, std::int64_t last,
               Workspace &work) const {
    work.pair_features.prepare(nets_, inputs_of_nets(pairs, environments, has_net_per_pair_, first, last));
  }

  // Adds to sums [atoms, 4, stride], and evaluates slopes as well.
  void sum(std::int64_t type, Chunk<Real, Wide> &chunk, Workspace &work, Wide *sums, std::int64_t stride,
           Overflows &) const {
    provide(work.features, chunk.n_pairs() * 2 * stride);
    for (std::int64_t kind = 0; kind < n_types_; ++kind) {
      const std::int64_t net = has_net_per_pair_ ? type * n_types_ + kind : kind, end = chunk.kind_start[kind + 1];
      for (std::int64_t p = chunk.kind_start[kind]; p < end; p += PairFeatures<Real>::kBlock)
        work.pair_features.evaluate(net, chunk.input.data() + p, std::min(PairFeatures<Real>::kBlock, end - p),
                                    work.features.data() + p * 2 * stride);
    }
    for (std::int64_t p = 0; p < chunk.n_pairs(); ++p) {
      const Wide row[4] = {chunk.row[0][p], chunk.row[1][p], chunk.row[2][p], chunk.row[3][p]};
      add_outer(row, work.features.data() + p * 2 * stride, stride, sums + chunk.slot[p] * 4 * stride, stride);
    }
  }

  // Fills chunk.by_row and chunk.by_input from dE/dA [atoms, 4, stride].
  void differentiate(std::int64_t, Chunk<Real, Wide> &chunk, Workspace &work, const Real *sums_gradient,
                     std::int64_t stride) const {
    for (std::int64_t p = 0; p < chunk.n_pairs(); ++p) {
      const Real *u = sums_gradient + chunk.slot[p] * 4 * stride, *features = work.features.data() + p * 2 * stride;
      Real row[4], by_row[4];
      for (int c = 0; c < 4; ++c) row[c] = static_cast<Real>(chunk.row[c][p]);
      chunk.by_input[p] = project_pair(row, u, features, features + stride, stride, by_row);
      for (int c = 0; c < 4; ++c) chunk.by_row[c][p] = by_row[c];
    }
  }

 private:
  std::int64_t n_types_;
  bool has_net_per_pair_;
  std::vector<PackedNet<Real>> nets_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
