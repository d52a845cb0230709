#include "dp_arguments.hpp"

#include <numeric>

namespace pwmlff::cuda {

namespace {

std::int64_t sum(const std::vector<std::int64_t> &numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}

// What an atom takes: A and D with gradients, copies that the products make, and two numbers per neuron and pass.
std::int64_t bytes_per_atom(const DpTensors &d) {
  const std::int64_t numbers = 12 * d.n_features() + 3 * d.n_features() * d.n_axis + 4 * sum(d.fitting_widths);
  return numbers * d.fitting.element_size();
}

// What a pair takes where nets make its features: input, net and order; G and G', and the layers they come from.
std::int64_t bytes_per_pair(const DpTensors &d) {
  if (d.has_tables()) return 0;
  return 64 + (2 * d.n_features() + 4 * sum(d.embedding_widths)) * d.embedding.element_size();
}

}  // namespace

void DpArguments::check() const {
  for (const at::Tensor &tensor : {start, pair_types, atom_types, overflows, embedding, grids, fitting, mean, scale})
    TORCH_CHECK(tensor.device() == vectors.device(), "dp_evaluate: pair vectors are on ", vectors.device(),
                ", another argument on ", tensor.device());
  check_dp_pairs(vectors, start, pair_types, atom_types, overflows);
  DpTensors::check();
}

// Which chunk an atom falls into follows from what the atoms and pairs before it take. With the atoms sorted by chunk
// and type, the rest follows from where each chunk and type begins.
ChunkPlan::ChunkPlan(const DpArguments &d, std::int64_t workspace) {
  const std::int64_t n_atoms = d.n_atoms(), n_types = d.n_types();
  const std::int64_t by_atom = bytes_per_atom(d), by_pair = bytes_per_pair(d);
  const std::int64_t n_chunks = (n_atoms * by_atom + d.n_pairs() * by_pair) / workspace + 1;
  const auto integers = d.start.options();
  const at::Tensor atoms = at::arange(n_atoms, integers);
  const at::Tensor before = atoms * by_atom + d.start.narrow(0, 0, n_atoms) * by_pair;
  const at::Tensor key = before.floor_divide(workspace) * n_types + d.atom_types;
  const auto [sorted, order] = at::sort(key, std::optional<bool>(true));
  atom_of_place = order;
  place_of_atom = at::empty_like(atoms).scatter_(0, order, atoms);
  const at::Tensor intervals = (d.grids.select(1, 1) + d.grids.select(1, 2)).to(at::kLong);
  first_interval = intervals.cumsum(0) - intervals;
  const at::Tensor first_places = at::searchsorted(sorted, at::arange(n_chunks * n_types + 1, integers));
  const at::Tensor first_pairs = d.start.index_select(0, first_places.slice(0, 0, at::nullopt, n_types));
  const at::Tensor host =
      at::cat({first_places, first_pairs, intervals.sum().view({1})}).cpu();  // waits for the device
  const std::int64_t *first = host.const_data_ptr<std::int64_t>();
  const std::int64_t *pair = first + first_places.size(0), n_intervals = pair[n_chunks + 1];
  TORCH_CHECK(!d.has_tables() || n_intervals == d.embedding.size(0), "dp_evaluate: the grids have ", n_intervals,
              " intervals, the tables ", d.embedding.size(0));
  TORCH_CHECK(first[0] == 0 && first[n_chunks * n_types] == n_atoms,
              "dp_evaluate: an atom has a type that is not one of 0 to ", n_types - 1);
  TORCH_CHECK(pair[n_chunks] == d.n_pairs(), "dp_evaluate: start ends at ", pair[n_chunks], ", there are ", d.n_pairs(),
              " pairs");
  for (std::int64_t c = 0; c < n_chunks; ++c, first += n_types)
    if (first[n_types] > first[0])
      chunks.push_back({first[0], pair[c], pair[c + 1] - pair[c], {first, first + n_types + 1}});
}

}  // namespace pwmlff::cuda
