"""What the CSR offsets of a batch say of its pairs."""

from __future__ import annotations

import torch
from torch import Tensor


def pair_centers(pair_start: Tensor) -> Tensor:
    """Return the central atom of each pair, [E].

    Args:
        pair_start: [N + 1] int64, pairs of atom n are `pair_start[n]:pair_start[n + 1]`.
    """
    atoms = torch.arange(pair_start.shape[0] - 1, device=pair_start.device)
    return torch.repeat_interleave(atoms, pair_start[1:] - pair_start[:-1])
