"""Operations with native kernels; each falls back on its PyTorch twin where there is no kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pwmlff.ops import library, reference
from pwmlff.ops.pair_sums import PairForces, PairVirials
from pwmlff.ops.pairs import pair_centers
from pwmlff.ops.stored_model import StoredEvaluator, StoredModel, evaluate_candidates, make_evaluator

if library.load():

    def embedding_contraction(
        s: Tensor, rows: Tensor, start: Tensor, parameters: Tensor, widths: list[int], activation: int
    ) -> Tensor:
        """Contract an embedding net with environment rows; see `reference.embedding_contraction`."""
        if s.is_cuda and torch.ops.pwmlff.has_kernels(s):
            return torch.ops.pwmlff.embedding_contraction(s, rows, start, parameters, widths, activation)
        return reference.embedding_contraction(s, rows, start, parameters, widths, activation)

    def kalman_sweep(tiles: Sequence[Tensor], bounds: Sequence[int], downdate: Tensor, directions: Tensor) -> Tensor:
        """Downdate a symmetric matrix in tiles and multiply it; see `reference.kalman_sweep`."""
        if directions.device.type == "cpu":
            return torch.ops.pwmlff.kalman_sweep(tiles, bounds, downdate, directions)
        return reference.kalman_sweep(tiles, bounds, downdate, directions)

    def pair_forces(gradients: Tensor, start: Tensor, neighbors: Tensor, frame_start: Tensor) -> Tensor:
        """Sum pair gradients to forces; see `reference.pair_forces`."""
        if gradients.device.type == "cpu":
            return PairForces.apply(gradients, start, neighbors, frame_start)
        return reference.pair_forces(gradients, start, neighbors, frame_start)

    def pair_virials(gradients: Tensor, vectors: Tensor, start: Tensor, frame_start: Tensor) -> Tensor:
        """Sum pair gradients to virials; see `reference.pair_virials`."""
        if gradients.device.type == "cpu" and not vectors.requires_grad:
            return PairVirials.apply(gradients, vectors, start, frame_start)
        return reference.pair_virials(gradients, vectors, start, frame_start)

else:
    embedding_contraction = reference.embedding_contraction
    kalman_sweep = reference.kalman_sweep
    pair_forces = reference.pair_forces
    pair_virials = reference.pair_virials


__all__ = [
    "StoredEvaluator",
    "StoredModel",
    "embedding_contraction",
    "evaluate_candidates",
    "kalman_sweep",
    "library",
    "make_evaluator",
    "pair_centers",
    "pair_forces",
    "pair_virials",
    "reference",
]
