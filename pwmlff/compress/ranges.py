"""Which distances a model's tables have to cover, and which they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import Potential
from pwmlff.models.dp.compressed import CompressedDeepPotential


@dataclass(frozen=True)
class TableRange:
    """Reach of the tables of one central element, in `s = switch(r) / r`.

    Attributes:
        element: Symbol.
        fine: s up to which the intervals have the width dx, 1/Å.
        coarse: s at the end of the tables, 1/Å.
        size: MB of the tables of all its neighbours.
    """

    element: str
    fine: float
    coarse: float
    size: float


def shortest_distances(frames: Sequence[Frame], potential: Potential, known: Tensor) -> Tensor:
    """Return the shortest distance [T] in Å to any neighbour of an atom of each element.

    Args:
        frames: The data.
        potential: Gives elements and cutoff.
        known: [T] what to return for elements that have no neighbours in the data.
    """
    shortest = torch.full_like(known, potential.cutoff)
    dataset = FrameDataset(frames, potential.elements, potential.cutoff, cache_bytes=0)
    for index in range(len(dataset)):
        batch = dataset.batch([index])
        center_types = batch.atom_types[batch.pair_centers]
        shortest.scatter_reduce_(0, center_types, torch.linalg.vector_norm(batch.pair_vectors, dim=-1), "amin")
    return torch.where(shortest < potential.cutoff, shortest, known)


def compressed_network(potential: Potential) -> CompressedDeepPotential:
    """Return the network of a potential that `tabulate` made."""
    network = potential.network
    assert isinstance(network, CompressedDeepPotential)
    return network


def table_ranges(potential: Potential) -> list[TableRange]:
    """Return the reach of a compressed potential's tables by central element."""
    network = compressed_network(potential)
    mean, scale = network.environment.mean.tolist(), network.environment.scale[:, 0].tolist()
    ranges = []
    for central, element in enumerate(potential.elements):
        first = central * network.n_types if network.by_pair else 0
        tables = [network.tables[first + neighbor] for neighbor in range(network.n_types)]
        fine, coarse = (
            mean[central] + scale[central] * (tables[0].lower + tables[0].dx * steps)
            for steps in (tables[0].inner, tables[0].inner + 10 * tables[0].outer)
        )
        size = sum(table.coefficients.nbytes for table in tables) / 1e6
        ranges.append(TableRange(element, fine, coarse, size))
    return ranges


def table_size(potential: Potential) -> float:
    """Return the size of all tables, MB."""
    return sum(table.coefficients.nbytes for table in compressed_network(potential).tables) / 1e6
