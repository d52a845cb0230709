"""Operations with native kernels; each falls back on its PyTorch twin where there is no kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pwmlff.ops import library, reference
from pwmlff.ops.pairs import pair_centers
from pwmlff.ops.stored_model import StoredEvaluator, StoredModel, make_evaluator

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

else:
    embedding_contraction = reference.embedding_contraction
    kalman_sweep = reference.kalman_sweep

__all__ = [
    "StoredEvaluator",
    "StoredModel",
    "embedding_contraction",
    "kalman_sweep",
    "library",
    "make_evaluator",
    "pair_centers",
    "reference",
]
