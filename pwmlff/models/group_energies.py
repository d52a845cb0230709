"""Group energies: atomic energies averaged over the surroundings of each atom, as PWMLFF trains them.

How DFT divides a total energy among single atoms is arbitrary; the mean over a neighbourhood is less so. With the sum
over j from atom i itself (r = 0) to all its neighbours within the cutoff r_c:

    E^g_i = sum_j w(r_ij) E_j / sum_j w(r_ij)        w(r) = exp(-ln(100) (r / r_c)^2)

The weight has fallen to 0.01 at the cutoff. PWMLFF compares r^2 with r_c, so that it takes fewer neighbours, and counts
one periodic image of each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch


def group_energies(atomic_energies: Tensor, batch: Batch) -> Tensor:
    """Return the group energies [N] in eV of atomic energies [N], predicted or those of the labels."""
    centers = batch.pair_centers
    squares = batch.pair_vectors.square().sum(-1) / batch.cutoff**2  # [E]
    weights = torch.exp(-math.log(100.0) * squares)
    total = torch.ones_like(atomic_energies).index_add(0, centers, weights)
    return atomic_energies.index_add(0, centers, weights * atomic_energies[batch.pair_neighbors]) / total
