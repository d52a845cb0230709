"""Screened nuclear repulsion at short distances (Ziegler, Biersack and Littmark, 1985)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pwmlff.ops.pairs import pair_centers


def repulsion_energies(
    pair_vectors: Tensor,
    pair_start: Tensor,
    pair_types: Tensor,
    atom_types: Tensor,
    charges: Tensor,
    strength: float,
    inner: float,
    outer: float,
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
        inner: Å, where the repulsion begins to fall.
        outer: Å, where it has ended.
    """
    energies = torch.zeros(atom_types.shape[0], dtype=pair_vectors.dtype, device=pair_vectors.device)
    near = torch.nonzero((pair_vectors * pair_vectors).sum(-1) < outer * outer).squeeze(-1)
    centers = pair_centers(pair_start).index_select(0, near)
    distances = torch.linalg.vector_norm(pair_vectors.index_select(0, near), dim=-1)
    z_i = charges.index_select(0, atom_types.index_select(0, centers))
    z_j = charges.index_select(0, pair_types.index_select(0, near))
    x = 2.134563 * distances * (z_i.pow(0.23) + z_j.pow(0.23))
    screening = torch.zeros_like(x)
    for amplitude, decay in [(0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162)]:
        screening = screening + amplitude * torch.exp(-decay * x)
    u = ((distances - inner) / (outer - inner)).clamp(0.0, 1.0)
    switch = 0.5 + 0.5 * torch.cos(math.pi * u)
    pair_energies = 0.5 * strength * z_i * z_j / distances * screening * switch
    return energies.index_add(0, centers, pair_energies)
