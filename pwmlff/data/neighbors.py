"""Neighbour lists in the form every model takes: directed pairs sorted by the central atom (CSR)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import vesin
from numpy.typing import NDArray

from pwmlff.data.frame import SHORTEST_DISTANCE, Frame
from pwmlff.errors import DataFormatError


@dataclass(frozen=True)
class NeighborList:
    """Directed pairs i -> j within the cutoff, sorted by i.

    Attributes:
        pair_vectors: [E, 3] Å, r_j - r_i with the periodic image applied.
        pair_neighbors: [E] int64, atom j.
        pair_start: [N + 1] int64, pairs of atom i are `pair_start[i]:pair_start[i + 1]`.
        cutoff: Å.
    """

    pair_vectors: NDArray[np.float64]
    pair_neighbors: NDArray[np.int64]
    pair_start: NDArray[np.int64]
    cutoff: float


def neighbor_list(frame: Frame, cutoff: float) -> NeighborList:
    """Find all pairs closer than the cutoff, periodic images included, however small the cell.

    Args:
        frame: The structure.
        cutoff: Å.

    Raises:
        DataFormatError: Two atoms are at the same place.
    """
    calculator = vesin.NeighborList(cutoff=cutoff, full_list=True)
    center, neighbor, vectors = calculator.compute(
        points=frame.positions, box=_full_cell(frame), periodic=frame.pbc, quantities="ijD"
    )
    squared = np.einsum("ec,ec->e", vectors, vectors)
    within = squared < cutoff * cutoff
    if len(squared) and squared.min() < SHORTEST_DISTANCE**2:
        pair = int(squared.argmin())
        raise DataFormatError(
            f"{frame.where}: atoms {center[pair]} and {neighbor[pair]} are at the same place "
            f"(distance {np.sqrt(squared[pair]):.1e} Å); remove one, or drop the frame with --skip-bad"
        )
    center, neighbor, vectors = center[within].astype(np.int64), neighbor[within].astype(np.int64), vectors[within]
    # a fixed order within an atom makes runs repeat bit for bit
    order = np.lexsort((vectors[:, 2], vectors[:, 1], vectors[:, 0], neighbor, center))
    pair_start = np.zeros(len(frame) + 1, dtype=np.int64)
    np.cumsum(np.bincount(center, minlength=len(frame)), out=pair_start[1:])
    return NeighborList(np.ascontiguousarray(vectors[order]), neighbor[order], pair_start, cutoff)


def _full_cell(frame: Frame) -> NDArray[np.float64]:
    """Replace the vectors of directions that are not periodic by orthogonal ones that keep the cell regular."""
    cell = frame.cell.copy()
    missing = [axis for axis in range(3) if not frame.pbc[axis]]
    cell[missing] = 0.0
    if missing:
        _, _, basis = np.linalg.svd(cell)
        rank = 3 - len(missing)
        for axis, direction in zip(missing, basis[rank:], strict=True):
            cell[axis] = direction
    return cell
