// Embedding features of a chunk by nets; G and dG/ds of its pairs are kept between the two passes, and for training
// beyond them.
//
// Included only by files compiled once per instruction set; local to the file that includes it.
#pragma once

#include "dp/chunk.hpp"
#include "dp/contraction.hpp"
#include "dp/model.hpp"
#include "evaluator.hpp"
#include "packed_net.hpp"

namespace pwmlff::PWMLFF_ISA {

namespace {

constexpr std::int64_t kBlock = 32;  // pairs that go through an embedding net at once

template <typename Real, typename Wide>
class NetFeatures {
 public:
  // Buffers of one thread.
  struct Workspace {
    Net<Real> net;
    Buffer<Real> input, features, factors;  // [kBlock], G and dG/ds of the chunk's pairs [pairs, 2, M], [M]
    Real *kept = nullptr;                   // the same of all pairs [E, 2, M], in place of `features` where not null

    Real *features_of(const Chunk<Real, Wide> &chunk, std::int64_t p, std::int64_t n_kept) {
      return kept ? kept + chunk.pair[p] * n_kept : features.data() + p * n_kept;
    }
  };

  explicit NetFeatures(const dp::Model<Real> &model)
      : n_types_(model.n_types), has_net_per_pair_(model.has_net_per_pair) {
    for (const NetView<Real> &net : model.embedding) nets_.emplace_back(net);
  }

  std::int64_t n_features() const { return nets_.front().layers.back().n_out; }
  std::int64_t n_kept() const { return 2 * n_features(); }
  const std::vector<PackedNet<Real>> &nets() const { return nets_; }

  // Adds to sums [atoms, 4, stride], and evaluates slopes as well.
  void sum(std::int64_t type, Chunk<Real, Wide> &chunk, Workspace &work, Wide *sums, std::int64_t stride,
           Overflows &) const {
    static const Buffer<Real> ones(kBlock, Real(1));
    const std::int64_t n_features = this->n_features();
    if (!work.kept) provide(work.features, chunk.n_pairs() * n_kept());
    provide(work.input, kBlock);
    for (std::int64_t kind = 0; kind < n_types_; ++kind) {
      const std::int64_t begin = chunk.kind_start[kind], end = chunk.kind_start[kind + 1];
      if (begin == end) continue;
      const PackedNet<Real> &packed = nets_[has_net_per_pair_ ? type * n_types_ + kind : kind];
      work.net.prepare(packed.layers, kBlock, 1);
      for (std::int64_t p0 = begin; p0 < end; p0 += kBlock) {
        const std::int64_t n = std::min(kBlock, end - p0), width = work.net.width();
        for (std::int64_t k = 0; k < n; ++k) work.input[k] = static_cast<Real>(chunk.input[p0 + k]);
        work.net.template forward<1>(work.input.data(), ones.data(), n);
        for (std::int64_t k = 0; k < n; ++k) {
          const std::int64_t p = p0 + k;
          const Real *y = work.net.output().y.data() + k * width, *y1 = work.net.output().y1.data() + k * width;
          Real *features = work.features_of(chunk, p, n_kept());
          std::copy(y, y + n_features, features);
          std::copy(y1, y1 + n_features, features + n_features);
          const Wide row[4] = {chunk.row[0][p], chunk.row[1][p], chunk.row[2][p], chunk.row[3][p]};
          add_outer(row, y, n_features, sums + chunk.slot[p] * 4 * stride, stride);
        }
      }
    }
  }

  // Fills chunk.by_row and chunk.by_input from dE/dA [atoms, 4, stride].
  void differentiate(std::int64_t, Chunk<Real, Wide> &chunk, Workspace &work, const Real *sums_gradient,
                     std::int64_t stride) const {
    const std::int64_t n_features = this->n_features();
    provide(work.factors, n_features);
    for (std::int64_t p = 0; p < chunk.n_pairs(); ++p) {
      const Real *u = sums_gradient + chunk.slot[p] * 4 * stride, *features = work.features_of(chunk, p, n_kept());
      Real by_row[4];
      project(u, stride, features, n_features, Real(1), by_row);
      Real row[4];
      for (int c = 0; c < 4; ++c) {
        chunk.by_row[c][p] = by_row[c];
        row[c] = static_cast<Real>(chunk.row[c][p]);
      }
      combine_rows(row, u, stride, n_features, work.factors.data());
      chunk.by_input[p] = dot(work.factors.data(), features + n_features, n_features);
    }
  }

 private:
  std::int64_t n_types_;
  bool has_net_per_pair_;
  std::vector<PackedNet<Real>> nets_;
};

}  // namespace

}  // namespace pwmlff::PWMLFF_ISA
