"""Which distances a model's tables have to cover."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import Potential


def shortest_distances(frames: Sequence[Frame], potential: Potential, known: Tensor) -> Tensor:
    """Return the shortest distance [T] in Å to any neighbour of an atom of each element, in all frames.

    Args:
        frames: Further ones.
        potential: Gives elements and cutoff.
        known: [T] of the training data; the cutoff or more where that is not known.
    """
    shortest = known.clone()
    dataset = FrameDataset(frames, potential.elements, potential.cutoff, cache_bytes=0)
    for index in range(len(dataset)):
        batch = dataset.batch([index])
        center_types = batch.atom_types[batch.pair_centers]
        shortest.scatter_reduce_(0, center_types, torch.linalg.vector_norm(batch.pair_vectors, dim=-1), "amin")
    return shortest
