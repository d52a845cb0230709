"""The environment matrix of the smooth Deep Potential and its normalisation.

Row of neighbour j of atom i: `s (1, x/r, y/r, z/r)` with `s = quintic_switch(r) / r` (Zhang et al., NeurIPS 2018).

Two corrections to the published codes, where empty neighbour slots take part in the sums:
rows are scaled, never shifted, so that a neighbour fades to exactly nothing at the cutoff; and sums over neighbours
are divided by one constant of the model, so that equal surroundings have equal descriptors in every composition.

Letters: `N` atoms, `E` pairs, `T` types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pwmlff.ops.reference import environment_matrix, environment_rows

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch

_SMALLEST_SCALE = 1e-2


class EnvironmentMatrix(nn.Module):
    """Normalised environment matrix.

    Args:
        inner: Å, where the switch begins.
        outer: Å, the cutoff.
        n_types: Number of elements.
        dtype: Of the result; the geometry is float64.
    """

    mean: Tensor
    scale: Tensor
    n_neighbors: Tensor
    shortest: Tensor

    def __init__(self, inner: float, outer: float, n_types: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner = inner
        self.outer = outer
        self.n_types = n_types
        self.dtype = dtype
        float64 = torch.float64
        self.register_buffer("mean", torch.zeros(n_types, dtype=float64))  # of s, [T]
        self.register_buffer("scale", torch.ones(n_types, 4, dtype=float64))  # [T, 4]
        self.register_buffer("n_neighbors", torch.ones((), dtype=float64))  # divides sums over neighbours
        self.register_buffer("shortest", torch.full((n_types,), outer, dtype=float64))  # distance seen in training, Å

    def forward(self, pair_vectors: Tensor, center_types: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's input and the rows to contract.

        Args:
            pair_vectors: [E, 3] float64, Å.
            center_types: [E] type of the central atom.
            order: [E] the pairs as they are wanted.

        Returns:
            Standardised s [E], and scaled rows [E, 4] already divided by the neighbour count.
        """
        is_double = self.dtype == torch.float64
        return environment_matrix(
            pair_vectors,
            order,
            center_types,
            self.mean,
            self.scale,
            self.n_neighbors,
            self.inner,
            self.outer,
            is_double,
        )

    @torch.no_grad()
    def start_from(self, other: EnvironmentMatrix, types: Sequence[int]) -> None:
        """Take the constants of another model's; `types` is the place of each type there, [T]."""
        chosen = list(types)
        for name in ("mean", "scale", "shortest"):
            getattr(self, name).copy_(getattr(other, name)[chosen])
        self.n_neighbors.copy_(other.n_neighbors)

    @torch.no_grad()
    def collect_statistics(self, batches: Iterable[Batch]) -> None:
        """Take mean and spread of the rows and the mean neighbour count from all frames."""
        n_atoms = 0
        count = torch.zeros(self.n_types, dtype=torch.float64)
        sums = torch.zeros(self.n_types, 3, dtype=torch.float64)  # s, s^2, angular squares
        shortest = torch.full((self.n_types,), self.outer, dtype=torch.float64)
        for batch in batches:
            center_types = batch.atom_types[batch.pair_centers]
            rows = environment_rows(batch.pair_vectors, self.inner, self.outer)
            values = torch.stack([rows[:, 0], rows[:, 0] ** 2, (rows[:, 1:] ** 2).sum(-1)], dim=-1)
            sums.index_add_(0, center_types, values)
            count += torch.bincount(center_types, minlength=self.n_types)
            distances = torch.linalg.vector_norm(batch.pair_vectors, dim=-1)
            shortest.scatter_reduce_(0, center_types, distances, "amin")
            n_atoms += len(batch.atom_types)
        seen = count > 0
        means = sums / count.clamp(min=1)[:, None]
        spread = (means[:, 1] - means[:, 0] ** 2).clamp(min=0).sqrt()
        angular = (means[:, 2] / 3).sqrt()
        scale = torch.stack([spread, angular, angular, angular], dim=-1).clamp(min=_SMALLEST_SCALE)
        self.mean.copy_(torch.where(seen, means[:, 0], 0.0))
        self.scale.copy_(torch.where(seen[:, None], scale, 1.0))
        self.n_neighbors.fill_(max(1.0, float(count.sum()) / max(1, n_atoms)))
        self.shortest.copy_(shortest)
