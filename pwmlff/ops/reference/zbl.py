"""Screened nuclear repulsion at short distances (Ziegler, Biersack and Littmark, 1985).

Letters: `N` atoms, `E` pairs, `T` types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pwmlff.ops.pairs import pair_centers

# amplitude and decay of each term of the universal screening function
UNIVERSAL_SCREENING = (0.18175, 3.1998, 0.50986, 0.94229, 0.28022, 0.4029, 0.02817, 0.20162)


def repulsion_energies(
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    charges: Tensor,
    strength: float,
    ranges: Tensor,
    screening: Tensor,
) -> Tensor:
    """Return the repulsion of each atom, [N] eV, a function of the pair vectors.

    `1/2 sum_j k Z_i Z_j / r phi(x) f(r)`, `x = 2.134563 r (Z_i^0.23 + Z_j^0.23)`, with phi a sum of four exponentials
    and f a cosine that falls from 1 to 0 (Fan et al., JCP 157, 114801, 2022).

    Args:
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.
        charges: [T] nuclear charges, float64.
        strength: k, of two unit charges, eV Å.
        ranges: [T, T, 2] Å, float64, where the repulsion of two types begins to fall and where it has ended; 0 and 0
            for none.
        screening: [T, T, 8] float64, amplitude and decay of each of the four exponentials.
    """
    energies = torch.zeros(atom_types.shape[0], dtype=pair_vectors.dtype, device=pair_vectors.device)
    farthest = ranges.max()
    near = torch.nonzero((pair_vectors * pair_vectors).sum(-1) < farthest * farthest).squeeze(-1)
    centers = pair_centers(pair_start).index_select(0, near)
    kinds = atom_types.index_select(0, centers) * charges.shape[0] + pair_types.index_select(0, near)
    lengths = torch.linalg.vector_norm(pair_vectors.detach().index_select(0, near), dim=-1)
    within = torch.nonzero(lengths < ranges.view(-1, 2)[:, 1].index_select(0, kinds)).squeeze(-1)
    near, centers, kinds = near[within], centers[within], kinds[within]
    distances = torch.linalg.vector_norm(pair_vectors.index_select(0, near), dim=-1)
    z_i = charges.index_select(0, atom_types.index_select(0, centers))
    z_j = charges.index_select(0, pair_types.index_select(0, near))
    x = 2.134563 * distances * (z_i.pow(0.23) + z_j.pow(0.23))
    terms = screening.view(-1, 4, 2).index_select(0, kinds)
    phi = (terms[:, :, 0] * torch.exp(-terms[:, :, 1] * x.unsqueeze(-1))).sum(-1)
    inner, outer = ranges.view(-1, 2).index_select(0, kinds).unbind(-1)
    u = ((distances - inner) / (outer - inner)).clamp(0.0, 1.0)
    switch = 0.5 + 0.5 * torch.cos(math.pi * u)
    pair_energies = 0.5 * strength * z_i * z_j / distances * phi * switch
    return energies.index_add(0, centers, pair_energies)


def stored_repulsion_energies(
    arrays: Mapping[str, Tensor], pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> Tensor:
    """Return the repulsion of each atom, [N] eV, as the arrays `repulsion.*` of `csrc/core/families.hpp` say."""
    charges, ranges = arrays["repulsion.charges"], arrays["repulsion.range"]
    n_types = len(charges)
    screening = arrays.get("repulsion.screening")
    if screening is None:
        screening = charges.new_tensor(UNIVERSAL_SCREENING)
    return repulsion_energies(
        pair_vectors,
        pair_start,
        pair_types,
        atom_types,
        charges,
        float(arrays["repulsion.strength"]),
        ranges.expand(n_types, n_types, 2).contiguous(),
        screening.expand(n_types, n_types, 8).contiguous(),
    )
