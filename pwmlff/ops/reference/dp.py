"""The Deep Potential (Zhang et al., NeurIPS 2018): environment matrix, embedding, and the whole."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pwmlff.ops.pairs import pair_centers
from pwmlff.ops.reference.nets import fitting_net, residual_net
from pwmlff.ops.reference.tables import table_features


def quintic_switch(distances: Tensor, inner: float, outer: float) -> Tensor:
    """Fall from 1 to 0 between two radii, twice continuously differentiable at both.

    `1 + u^3 (-6 u^2 + 15 u - 10)`, `u = (r - inner) / (outer - inner)` clamped to [0, 1]
    (Zhang et al., NeurIPS 2018, the switch of the smooth Deep Potential).

    Args:
        distances: Any shape, Å.
        inner: Å, 1 below.
        outer: Å, 0 beyond.
    """
    u = ((distances - inner) / (outer - inner)).clamp(0.0, 1.0)
    return 1.0 + u * u * u * (u * (15.0 - 6.0 * u) - 10.0)


def environment_rows(pair_vectors: Tensor, inner: float, outer: float) -> Tensor:
    """Return the rows `(s, s x/r, s y/r, s z/r)`.

    Args:
        pair_vectors: [E, 3] Å.
        inner: Å, where the switch begins.
        outer: Å, the cutoff.

    Returns:
        [E, 4] in 1/Å.
    """
    distances = torch.linalg.vector_norm(pair_vectors, dim=-1, keepdim=True)  # [E, 1]
    s = quintic_switch(distances, inner, outer) / distances
    return torch.cat([s, pair_vectors * (s / distances)], dim=-1)


def environment_matrix(
    vectors: Tensor,
    order: Tensor,
    types: Tensor,
    mean: Tensor,
    scale: Tensor,
    n_neighbors: Tensor,
    inner: float,
    outer: float,
    is_double: bool,
) -> tuple[Tensor, Tensor]:
    """Return the normalised environment matrix of pairs: input of the embedding net, and rows.

    Args:
        vectors: [E, 3] float64, Å.
        order: [n] pairs as they are wanted, each at most once.
        types: [E] type of the central atom.
        mean: [T] of s, 1/Å, float64.
        scale: [T, 4] of the rows, 1/Å, float64.
        n_neighbors: Divides the rows, scalar.
        inner: Å, where the switch begins.
        outer: Å, the cutoff.
        is_double: Whether the result is float64, otherwise float32.

    Returns:
        `(s - mean) / scale_0` [n], and rows / scale / n_neighbors [n, 4].
    """
    dtype = torch.float64 if is_double else torch.float32
    types = types.index_select(0, order)
    scales = scale.index_select(0, types)  # [n, 4]
    rows = environment_rows(vectors.index_select(0, order), inner, outer) / scales
    standardised = rows[:, 0] - (mean / scale[:, 0]).index_select(0, types)
    return standardised.to(dtype), (rows / n_neighbors).to(dtype)


def embedding_contraction(
    s: Tensor, rows: Tensor, start: Tensor, parameters: Tensor, widths: list[int], activation: int
) -> Tensor:
    """Contract an embedding net with the environment rows of each atom's pairs.

    `A[n, c, m] = sum_{e in pairs of n} rows[e, c] G_m(s_e)` (Zhang et al., NeurIPS 2018).

    Args:
        s: [E] input of the net.
        rows: [E, 4].
        start: [N + 1] int64, pairs of atom n are `start[n]:start[n + 1]`.
        parameters: See `residual_net`; one input.
        widths: See `residual_net`.
        activation: See `residual_net`.

    Returns:
        [N, 4, M].
    """
    features = residual_net(s.unsqueeze(-1), parameters, widths, activation)  # [E, M]
    sums = torch.zeros([start.shape[0] - 1, 4, widths[-1]], dtype=s.dtype, device=s.device)
    return sums.index_add(0, pair_centers(start), rows.unsqueeze(2) * features.unsqueeze(1))


def atomic_energies(
    arrays: Mapping[str, Tensor],
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    overflows: Tensor,
) -> Tensor:
    """Evaluate a whole Deep Potential, with the precision that its arrays say.

    Args:
        arrays: See `csrc/core/dp/description.hpp`.
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.
        overflows: [2] int64, added to: pairs beyond the fine intervals of their table, pairs beyond all of them.

    Returns:
        [N] eV float64, a function of the pair vectors.
    """
    fitting = arrays["fitting"]
    widths, activation = arrays["fitting.widths"].tolist(), int(arrays["fitting.activation"])
    descriptor = _descriptors(arrays, pair_vectors, pair_start, pair_types, atom_types, overflows).to(fitting.dtype)
    energies = torch.zeros(len(atom_types), dtype=torch.float64, device=atom_types.device)
    for central, parameters in enumerate(fitting):
        atoms = torch.nonzero(atom_types == central).squeeze(-1)
        of_type = fitting_net(descriptor.index_select(0, atoms), parameters, widths, activation)
        energies = energies.index_copy(0, atoms, of_type.to(torch.float64))
    return energies


def descriptors(
    arrays: Mapping[str, Tensor], pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> Tensor:
    """Return what the fitting nets see, [N, M * M2]; arguments as in `atomic_energies`."""
    overflows = torch.zeros(2, dtype=torch.int64, device=atom_types.device)
    return _descriptors(arrays, pair_vectors, pair_start, pair_types, atom_types, overflows)


def _descriptors(
    arrays: Mapping[str, Tensor],
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    overflows: Tensor,
) -> Tensor:
    sums = environment_sums(arrays, pair_vectors, pair_centers(pair_start), pair_types, atom_types, overflows)
    return torch.bmm(sums.transpose(1, 2), sums[:, :, : int(arrays["n_axis"])]).flatten(1)


def environment_sums(
    arrays: Mapping[str, Tensor],
    pair_vectors: Tensor,
    centers: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    overflows: Tensor,
) -> Tensor:
    """Return the sums A [N, 4, M] of `embedding_contraction`, over all neighbours of an atom.

    Args:
        arrays: See `atomic_energies`, as for the rest.
        pair_vectors: [E, 3].
        centers: [E] central atom of each pair.
        pair_types: [E].
        atom_types: [N].
        overflows: [2].
    """
    dtype = arrays["fitting"].dtype
    wide = torch.float64 if int(arrays["double_geometry"]) else dtype
    inner, outer = arrays["switch"].tolist()
    n_types = len(arrays["mean"])
    n_nets = len(arrays["tables.grids"] if "tables" in arrays else arrays["embedding"])
    center_types = atom_types.index_select(0, centers)
    kinds = pair_types if n_nets == n_types else center_types * n_types + pair_types
    rows = environment_rows(pair_vectors.to(wide), inner, outer)  # [E, 4]
    scale = arrays["scale"].to(wide).index_select(0, center_types)
    x = (rows[:, 0] - arrays["mean"].to(wide).index_select(0, center_types)) / scale[:, 0]
    rows = rows / scale / float(arrays["n_neighbors"])
    n_features = arrays["tables"].shape[2] if "tables" in arrays else int(arrays["embedding.widths"][-1])
    sums = torch.zeros(len(atom_types), 4, n_features, dtype=wide, device=pair_vectors.device)
    for net in range(n_nets):
        pairs = torch.nonzero(kinds == net).squeeze(-1)
        features = pair_features(arrays, net, x.index_select(0, pairs), overflows).to(wide)
        outer_products = rows.index_select(0, pairs).unsqueeze(2) * features.unsqueeze(1)
        sums = sums.index_add(0, centers.index_select(0, pairs), outer_products)
    return sums


def pair_features(arrays: Mapping[str, Tensor], net: int, x: Tensor, overflows: Tensor) -> Tensor:
    """Return the features [n, M] of one net or table at its inputs [n]; counts overflows as `atomic_energies`."""
    if "tables" not in arrays:
        widths, activation = arrays["embedding.widths"].tolist(), int(arrays["embedding.activation"])
        return residual_net(x.to(arrays["embedding"].dtype).unsqueeze(-1), arrays["embedding"][net], widths, activation)
    grids, dx, x = arrays["tables.grids"], float(arrays["tables.dx"]), x.to(torch.float64)
    first = int(grids[:net, 1:].sum())
    lower, n_fine, n_coarse = float(grids[net, 0]), int(grids[net, 1]), int(grids[net, 2])
    overflows[0] += (x > lower + dx * n_fine).sum()
    overflows[1] += (x > lower + dx * (n_fine + 10 * n_coarse)).sum()
    return table_features(x, arrays["tables"][first : first + n_fine + n_coarse], lower, dx, n_fine, n_coarse)
