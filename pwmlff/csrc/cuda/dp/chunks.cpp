#include "cuda/dp/chunks.hpp"

#include <optional>

namespace pwmlff::cuda {

// Which chunk an atom falls into follows from what the atoms and pairs before it take. With the atoms sorted by chunk
// and type, the rest follows from where each chunk and type begins.
ChunkPlan::ChunkPlan(const PairTensors &d, std::int64_t n_types, const Footprint &footprint, std::int64_t workspace) {
  const std::int64_t n_atoms = d.n_atoms();
  const std::int64_t n_chunks = (n_atoms * footprint.atom + d.n_pairs() * footprint.pair) / workspace + 1;
  const auto integers = d.start.options();
  const at::Tensor atoms = at::arange(n_atoms, integers);
  const at::Tensor before = atoms * footprint.atom + d.start.narrow(0, 0, n_atoms) * footprint.pair;
  const at::Tensor key = before.floor_divide(workspace) * n_types + d.atom_types;
  const auto [sorted, order] = at::sort(key, std::optional<bool>(true));
  atom_of_place = order;
  place_of_atom = at::empty_like(atoms).scatter_(0, order, atoms);
  const at::Tensor first_places = at::searchsorted(sorted, at::arange(n_chunks * n_types + 1, integers));
  const at::Tensor first_pairs = d.start.index_select(0, first_places.slice(0, 0, at::nullopt, n_types));
  const at::Tensor host = at::cat({first_places, first_pairs}).cpu();  // waits for the device
  const std::int64_t *first = host.const_data_ptr<std::int64_t>(), *pair = first + first_places.size(0);
  TORCH_CHECK(first[0] == 0 && first[n_chunks * n_types] == n_atoms,
              "evaluate: an atom has a type that is not one of 0 to ", n_types - 1);
  TORCH_CHECK(pair[n_chunks] == d.n_pairs(), "evaluate: start ends at ", pair[n_chunks], ", there are ", d.n_pairs(),
              " pairs");
  for (std::int64_t c = 0; c < n_chunks; ++c, first += n_types)
    if (first[n_types] > first[0])
      chunks.push_back({first[0], pair[c], pair[c + 1] - pair[c], {first, first + n_types + 1}});
}

}  // namespace pwmlff::cuda
