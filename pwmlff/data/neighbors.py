"""Neighbour lists in the form every model takes: directed pairs sorted by the central atom (CSR)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import vesin
from numpy.typing import NDArray

from pwmlff.data.frame import SHORTEST_DISTANCE, Frame
from pwmlff.errors import DataFormatError

# vesin sorts atoms into a grid of cells as wide as the cutoff. It coarsens a grid of more cells than this, axis by
# axis, and divides by zero where an axis is left without a cell.
_MAX_GRID_CELLS = 1e5
_PADDING = 0.01  # of directions that are not periodic: of their extent, or of the largest coordinate in older versions
_TALLEST_SLAB = 50.0  # times the cutoff; partly periodic, its time grows with the square of the height
_NEAR = 1.5  # Å; a search for shorter distances is slower, for it walks through more and emptier grid cells
_WIDEST_SEARCH = 4.0  # times the cutoff; pairs to look through grow with its cube


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
        DataFormatError: Two atoms are at the same place, or the structure is too long for its width to be searched.
    """
    cell = _full_cell(frame)
    points, radius = _searchable(frame, cell, cutoff)
    calculator = vesin.NeighborList(cutoff=radius, full_list=True)
    center, neighbor, vectors = calculator.compute(points=points, box=cell, periodic=frame.pbc, quantities="ijD")
    squared = np.einsum("ec,ec->e", vectors, vectors)
    within = squared < cutoff * cutoff
    if len(squared) and squared.min() < SHORTEST_DISTANCE**2:
        pair = int(squared.argmin())
        raise _overlap(frame, center[pair], neighbor[pair], np.sqrt(squared[pair]))
    center, neighbor, vectors = center[within].astype(np.int64), neighbor[within].astype(np.int64), vectors[within]
    # a fixed order within an atom makes runs repeat bit for bit
    pair = center * len(frame) + neighbor
    order = np.argsort(pair)
    if (pair[order[1:]] == pair[order[:-1]]).any():  # a neighbour and its images; sorting by vectors takes long
        order = np.lexsort((vectors[:, 2], vectors[:, 1], vectors[:, 0], pair))
    pair_start = np.zeros(len(frame) + 1, dtype=np.int64)
    np.cumsum(np.bincount(center, minlength=len(frame)), out=pair_start[1:])
    return NeighborList(np.ascontiguousarray(vectors[order]), neighbor[order], pair_start, cutoff)


def nearest_pair(frame: Frame) -> tuple[int, int, float] | None:
    """Find the two atoms nearest to each other; far quicker than a neighbour list.

    Args:
        frame: The structure.

    Returns:
        The atoms and their distance in Å; None where no two are nearer than 1.5 Å.

    Raises:
        DataFormatError: As for `neighbor_list`.
    """
    cell = _full_cell(frame)
    points, radius = _searchable(frame, cell, _NEAR)
    calculator = vesin.NeighborList(cutoff=radius, full_list=False)
    center, neighbor, distances = calculator.compute(points=points, box=cell, periodic=frame.pbc, quantities="ijd")
    if len(distances) == 0 or distances.min() >= _NEAR:
        return None
    pair = int(distances.argmin())
    nearest = int(center[pair]), int(neighbor[pair]), float(distances[pair])
    if nearest[2] < SHORTEST_DISTANCE:
        raise _overlap(frame, *nearest)
    return nearest


def _overlap(frame: Frame, first: int, second: int, distance: float) -> DataFormatError:
    return DataFormatError(
        f"{frame.where}: atoms {first} and {second} are at the same place (distance {distance:.1e} Å); remove one, or "
        "drop the frame with --skip-bad"
    )


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


def _searchable(frame: Frame, cell: NDArray[np.float64], cutoff: float) -> tuple[NDArray[np.float64], float]:
    """Return positions with the same pairs, and a search radius, that vesin can make a grid for.

    Raises:
        DataFormatError: There are none: the structure is far longer than it is wide.
    """
    points = frame.positions
    extents = _extents(frame, points, cell)
    is_slab = frame.pbc.any() and (extents[~frame.pbc] > _TALLEST_SLAB * cutoff).any()
    if not is_slab and _has_grid(frame, points, extents, cutoff):
        return points, cutoff
    points = _without_gaps(frame, cell, 2.0 * cutoff)
    extents, radius = _extents(frame, points, cell), cutoff
    while radius <= _WIDEST_SEARCH * cutoff:
        if _has_grid(frame, points, extents, radius):
            return points, radius
        radius *= 1.25
    size = " x ".join(f"{extent:.4g}" for extent in extents)
    raise DataFormatError(
        f"{frame.where}: the structure measures {size} Å, too long for its width to find neighbours within "
        f"{cutoff:g} Å; expected at most some 1e5 cutoffs along an axis: check cell and positions"
    )


def _extents(frame: Frame, points: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Widths [3] of what is searched, Å: between the faces of the cell, or of the atoms where it is not periodic."""
    widths = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return np.where(frame.pbc, widths, np.ptp(points @ cell.T, axis=0))  # vectors not periodic are of unit length


def _has_grid(frame: Frame, points: NDArray[np.float64], extents: NDArray[np.float64], radius: float) -> bool:
    """Whether vesin's grid keeps a cell along each axis, wherever padding and rounding put the numbers of cells."""
    heights, padding = np.ptp(points, axis=0), _PADDING * np.abs(points).max(axis=0)  # of x, y, z, not of directions
    low = np.where(frame.pbc, extents * (1 - 1e-9), heights - padding)
    high = np.where(frame.pbc, extents * (1 + 1e-9), np.maximum(heights + 2 * padding, 1.0))
    x, y, z = np.maximum(np.floor(low / radius), 1.0)
    most_x, most_y, most_z = np.maximum(np.floor(high / radius), 1.0)
    if most_x * most_y * most_z <= _MAX_GRID_CELLS:
        return True
    # the fewest after coarsening, in vesin's order
    coarse_z = np.floor(np.cbrt(_MAX_GRID_CELLS * z**2 / (most_x * most_y)))
    coarse_y = np.floor(y / most_z * coarse_z)
    coarse_x = np.floor(x / most_y * coarse_y)
    return bool(min(coarse_x, coarse_y, coarse_z) >= 1.0)


def _without_gaps(frame: Frame, cell: NDArray[np.float64], widest: float) -> NDArray[np.float64]:
    """Move atoms along directions that are not periodic until no empty layer is wider than `widest`.

    Atoms on two sides of a layer wider than the cutoff are no pair, before and after.
    """
    points = frame.positions - np.where(frame.pbc, 0.0, frame.positions.min(axis=0))  # pads the least
    for direction in cell[~frame.pbc]:
        height = points @ direction
        order = np.argsort(height, kind="stable")
        excess = np.maximum(np.diff(height[order]) - widest, 0.0)
        points[order[1:]] -= np.cumsum(excess)[:, None] * direction
    return points
