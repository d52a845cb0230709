"""The native sums of pair gradients as functions that PyTorch can differentiate.

Both are linear in g_ij = dE/dr_ij (eV/Å), so what they hand back of a loss L does not depend on it:

    dL/dg_ij = dL/dF_i - dL/dF_j        (dL/dg_ij)_b = -sum_a (r_ij)_a dL/dW_ab

Letters: `F` frames, `N` atoms, `E` pairs. Arguments are those of `reference.pair_forces` and `reference.pair_virials`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pwmlff.ops.pairs import pair_centers


class PairForces(torch.autograd.Function):
    """`reference.pair_forces` on the processor."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, start: Tensor, neighbors: Tensor, frame_start: Tensor) -> Tensor:
        """Return forces [N, 3]."""
        ctx.save_for_backward(start, neighbors)
        return torch.ops.pwmlff.pair_forces(gradients, start, neighbors, frame_start)

    @staticmethod
    def backward(ctx: Any, by_forces: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients by pair gradients, [E, 3]."""
        start, neighbors = ctx.saved_tensors
        by_center = by_forces.index_select(0, pair_centers(start))
        return by_center - by_forces.index_select(0, neighbors), None, None, None


class PairVirials(torch.autograd.Function):
    """`reference.pair_virials` on the processor, for pair vectors that nothing is differentiated by."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, vectors: Tensor, start: Tensor, frame_start: Tensor) -> Tensor:
        """Return virials [F, 3, 3]."""
        ctx.save_for_backward(vectors, start, frame_start)
        return torch.ops.pwmlff.pair_virials(gradients, vectors, start, frame_start)

    @staticmethod
    def backward(ctx: Any, by_virials: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients by pair gradients, [E, 3]."""
        vectors, start, frame_start = ctx.saved_tensors
        by_pair = torch.repeat_interleave(by_virials, start[frame_start].diff(), dim=0)  # [E, 3, 3]
        return -torch.bmm(vectors.unsqueeze(1), by_pair).squeeze(1), None, None, None
