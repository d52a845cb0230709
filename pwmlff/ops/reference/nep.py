"""The neuroevolution potential (Fan et al., PRB 104, 104309, 2021; JCP 157, 114801, 2022), from its stored arrays.

With the Chebyshev polynomials T_k and c_nk by (central, neighbour) type, a radial function is

    g_n(r) = sum_k c_nk f_k(r)          f_k = (T_k(x) + 1) / 2 f_c
    f_c = (1 + cos(pi r / r_c)) / 2     x = 2 (r / r_c - 1)^2 - 1

and zero from the cutoff r_c of the pair on, the mean of those of its types; or a table that stands for it. The
descriptor of atom i is sum_j g_n(r_ij) for each radial function, then the `invariants` of  s_nlm = sum_j g_n(r_ij) b_lm
of the angular functions, which have coefficients and a cutoff of their own: for each invariant all n. Its energy is
w1 . tanh(w0 q - b0) - b1  with the descriptor times a constant scaler as q.

Letters: `N` atoms, `E` pairs, `T` types, `D` length of the descriptor, `B` = L (L + 2) functions of a direction, `L`
intervals of a table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pwmlff.ops.pairs import pair_centers
from pwmlff.ops.reference.invariants import direction_functions, invariants
from pwmlff.ops.reference.tables import table_features


def chebyshev_functions(distances: Tensor, cutoffs: Tensor, count: int) -> Tensor:
    """Return the functions f_k, k = 0..count - 1, of distances below the cutoff.

    Args:
        distances: [n] Å.
        cutoffs: [n] Å, of each pair.
        count: At least 1.

    Returns:
        [n, count].
    """
    u = distances / cutoffs
    x = 2.0 * (u - 1.0).square() - 1.0
    polynomials = [torch.ones_like(x), x][:count]
    while len(polynomials) < count:
        polynomials.append(2.0 * x * polynomials[-1] - polynomials[-2])
    cutoff_function = 0.5 + 0.5 * torch.cos(math.pi * u)
    return (0.5 + 0.5 * torch.stack(polynomials, dim=1)) * cutoff_function.unsqueeze(1)


def atomic_energies(
    arrays: Mapping[str, Tensor],
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    overflows: Tensor,
) -> Tensor:
    """Evaluate a whole NEP, with the precision that its arrays say.

    Args:
        arrays: See `models/nep/stored.py`.
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.
        overflows: [2] int64; nothing is added, for there are no tables.

    Returns:
        [N] eV float64, a function of the pair vectors and of the arrays.
    """
    net, scaler = arrays["net"], arrays["scaler"]
    descriptor = descriptors(arrays, pair_vectors, pair_start, pair_types, atom_types)
    inputs = (descriptor * scaler).to(net.dtype)  # [N, D]
    width = scaler.shape[0]
    neurons = (net.shape[1] - 1) // (width + 2)
    energies = torch.zeros(len(atom_types), dtype=torch.float64, device=atom_types.device)
    for central, parameters in enumerate(net):
        atoms = torch.nonzero(atom_types == central).squeeze(-1)
        w0, b0, w1, b1 = parameters.split([neurons * width, neurons, neurons, 1])
        hidden = torch.tanh(torch.addmm(-b0, inputs.index_select(0, atoms), w0.view(neurons, width).T))
        energies = energies.index_copy(0, atoms, (torch.mv(hidden, w1) - b1).to(torch.float64))
    return energies


def descriptors(
    arrays: Mapping[str, Tensor], pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> Tensor:
    """Return the descriptors [N, D] before they are scaled; arguments as in `atomic_energies`."""
    wide = torch.float64 if int(arrays["double_geometry"]) else arrays["scaler"].dtype
    vectors, cutoffs = pair_vectors.to(wide), pair_cutoffs(arrays["cutoff"].to(wide)).flatten(0, 1)  # [T * T, 2]
    centers = pair_centers(pair_start)  # [E]
    kinds = _kinds(centers, pair_types, atom_types, len(arrays["cutoff"]))
    n_atoms = len(atom_types)

    places, distances, functions = _radial_functions(vectors, kinds, cutoffs[:, 0], arrays, "radial")
    sums = torch.zeros(n_atoms, functions.shape[1], dtype=wide, device=vectors.device)
    radial_part = sums.index_add(0, centers.index_select(0, places), functions)

    places, distances, functions = _radial_functions(vectors, kinds, cutoffs[:, 1], arrays, "angular")
    l_max = int(arrays["l_max"])
    directions = vectors.index_select(0, places) / distances.unsqueeze(1)
    products = functions.unsqueeze(2) * direction_functions(directions, l_max).unsqueeze(1)  # [e, n, B]
    sums = torch.zeros(n_atoms, *products.shape[1:], dtype=wide, device=vectors.device)
    sums = sums.index_add(0, centers.index_select(0, places), products)
    angular_part = invariants(sums, l_max, arrays["extras"].tolist())  # [N, n, invariants]
    return torch.cat([radial_part, angular_part.transpose(1, 2).flatten(1)], dim=1)


def scaled_descriptors(
    arrays: Mapping[str, Tensor], pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> Tensor:
    """Return what the nets see, [N, D]; arguments as in `atomic_energies`."""
    return descriptors(arrays, pair_vectors, pair_start, pair_types, atom_types) * arrays["scaler"]


def neighbor_counts(
    cutoffs: Tensor, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> Tensor:
    """Return the number of neighbours of each atom within the radial and the angular cutoff, [N, 2] int64.

    Args:
        cutoffs: [T, 2] Å.
        pair_vectors: As the others, see `atomic_energies`.
        pair_start: See there.
        pair_types: See there.
        atom_types: See there.
    """
    centers = pair_centers(pair_start)
    kinds = _kinds(centers, pair_types, atom_types, len(cutoffs))
    squares = pair_cutoffs(cutoffs).flatten(0, 1).square()
    is_near = pair_vectors.square().sum(1, keepdim=True) < squares.index_select(0, kinds)
    return torch.zeros(len(atom_types), 2, dtype=torch.int64).index_add(0, centers, is_near.to(torch.int64))


def pair_cutoffs(cutoffs: Tensor) -> Tensor:
    """Return the cutoffs of pairs of types, [T, T, 2] Å, from those of types [T, 2]."""
    return 0.5 * (cutoffs.unsqueeze(1) + cutoffs.unsqueeze(0))


def _kinds(centers: Tensor, pair_types: Tensor, atom_types: Tensor, n_types: int) -> Tensor:
    """Return central and neighbour type as one number, [E]."""
    return atom_types.index_select(0, centers) * n_types + pair_types


def _radial_functions(
    vectors: Tensor, kinds: Tensor, cutoffs: Tensor, arrays: Mapping[str, Tensor], name: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pairs within their cutoff, sorted by kind, with their distances and radial functions.

    Args:
        vectors: [E, 3] Å.
        kinds: [E] central and neighbour type as one number.
        cutoffs: [T * T] Å, by kind.
        arrays: Hold coefficients or tables of the functions.
        name: "radial" or "angular".

    Returns:
        Places [e] among the pairs, distances [e] in Å, g_n [e, n].
    """
    squares = vectors.detach().square().sum(1)
    is_near = ~(squares >= cutoffs.square().index_select(0, kinds))  # what is not a number stays to be seen
    places = torch.nonzero(is_near).squeeze(-1)
    places = places.index_select(0, torch.sort(kinds.index_select(0, places), stable=True)[1])
    kinds = kinds.index_select(0, places)
    distances = torch.linalg.vector_norm(vectors.index_select(0, places), dim=1)
    counts = torch.bincount(kinds, minlength=len(cutoffs))
    present = torch.nonzero(counts).squeeze(-1).tolist()
    sizes = counts[present].tolist()
    if name in arrays:
        coefficients = arrays[name].to(vectors.dtype).flatten(0, 1)  # [T * T, n, k]
        basis = chebyshev_functions(distances, cutoffs.index_select(0, kinds), coefficients.shape[2])  # [e, k]
        parts = [part.mm(coefficients[kind].T) for kind, part in zip(present, basis.split(sizes), strict=True)]
        nothing = basis.new_zeros(0, coefficients.shape[1])
    else:
        tables = arrays[f"{name}.table"].flatten(0, 1)  # [T * T, L, terms, n]
        n_intervals, nothing = tables.shape[1], distances.new_zeros(0, tables.shape[3])
        widths = (cutoffs / n_intervals).tolist()
        parts = [
            table_features(part.to(torch.float64), tables[kind], 0.0, widths[kind], n_intervals, 0)
            for kind, part in zip(present, distances.split(sizes), strict=True)
        ]
    return places, distances, torch.cat([nothing, *(part.to(nothing.dtype) for part in parts)])
