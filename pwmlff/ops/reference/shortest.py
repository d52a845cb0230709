"""Pairs that are nearer than any of their elements were in the training data, the twin of `csrc/core/shortest.hpp`.

Letters: `N` atoms, `E` pairs, `T` types.
"""

from __future__ import annotations

from torch import Tensor

from pwmlff.ops.pairs import pair_centers

MARGIN = 1e-6  # a pair counts as nearer by more than this part of the distance: files round positions


def count_nearer(
    shortest: Tensor, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
) -> Tensor:
    """Count the pairs that are nearer than the shortest distance of their elements.

    Args:
        shortest: [T, T] float64, Å; 0 where it is unknown, which no pair is nearer than.
        pair_vectors: [E, 3] float64, Å.
        pair_start: [N + 1] int64.
        pair_types: [E] int64.
        atom_types: [N] int64.

    Returns:
        [] int64.
    """
    kinds = atom_types.index_select(0, pair_centers(pair_start)) * len(shortest) + pair_types  # [E]
    limits = ((1.0 - MARGIN) * shortest).square().view(-1).index_select(0, kinds)
    x, y, z = pair_vectors.unbind(1)
    return (x * x + y * y + z * z < limits).sum()
