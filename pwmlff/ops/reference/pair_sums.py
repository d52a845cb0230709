"""Forces and virials as sums of pair gradients g_ij = dE/dr_ij.

    F_i += g_ij,  F_j -= g_ij        W = -sum_ij r_ij (x) g_ij

Letters: `F` frames, `N` atoms, `E` pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pwmlff.ops.pairs import pair_centers


def pair_forces(gradients: Tensor, start: Tensor, neighbors: Tensor, frame_start: Tensor) -> Tensor:
    """Return forces [N, 3].

    Args:
        gradients: [E, 3] float64.
        start: [N + 1] int64, pairs of atom n are `start[n]:start[n + 1]`.
        neighbors: [E] int64, atom j of each pair, of the same frame as atom i.
        frame_start: [F + 1] int64, atoms of frame f are `frame_start[f]:frame_start[f + 1]`.
    """
    forces = torch.zeros(len(start) - 1, 3, dtype=gradients.dtype, device=gradients.device)
    return forces.index_add(0, pair_centers(start), gradients).index_add(0, neighbors, gradients, alpha=-1)


def pair_virials(gradients: Tensor, vectors: Tensor, start: Tensor, frame_start: Tensor) -> Tensor:
    """Return virials [F, 3, 3]; arguments as in `pair_forces`, and pair vectors r_ij [E, 3] float64."""
    pairs_per_frame = start[frame_start].diff()
    n_frames = len(pairs_per_frame)
    frames = torch.repeat_interleave(torch.arange(n_frames, device=gradients.device), pairs_per_frame)
    outer = vectors.unsqueeze(2) * gradients.unsqueeze(1)  # [E, 3, 3]
    virials = torch.zeros(n_frames, 3, 3, dtype=gradients.dtype, device=gradients.device)
    return virials.index_add(0, frames, outer, alpha=-1)
