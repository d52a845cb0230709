"""The shortest distances of training data, by pair of elements.

Letters: `E` pairs, `T` types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch


def watch_shortest(batches: Iterable[Batch], shortest: Tensor) -> Iterator[Batch]:
    """Hand on batches, and lower distances to the shortest ones that pass by.

    Args:
        batches: The data.
        shortest: [T, T] Å, where to begin; changed in place.
    """
    n_types = len(shortest)
    for batch in batches:
        kinds = batch.atom_types[batch.pair_centers] * n_types + batch.pair_types  # [E]
        distances = torch.linalg.vector_norm(batch.pair_vectors, dim=-1).to(shortest.device)
        shortest.view(-1).scatter_reduce_(0, kinds.to(shortest.device), distances, "amin")
        yield batch
