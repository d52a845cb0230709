"""The symmetry functions of PWMLFF's features 1 to 4, with its defaults.

    1  pieces of the distance, for each element of the neighbour
    2  products of three pieces, for each pair of elements; of two neighbours of one element the first piece is the
       lower one, and both orders count
    3  G2 with centres from 1 Å to the cutoff, each with every width w: eta = 1 / w^2; for each element
    4  G4 with powers of `zeta`, each with every width and both signs; for each pair of elements, where PWMLFF counts
       two neighbours of one element in both orders

Grids of the pieces: 1 is r_k = Rmin (a^k - 1) with a^(n + 1) = 1 + Rmax / Rmin; 2 has about the same number of
neighbours between its points; a piece lies between the second next points of these, or the third next (`iflag_ftype`).
Grid 3 has centres (9^(k / (n + 1)) - 1) Rmax / 8 and one width, so that the last piece ends at the cutoff.

Deviations: grid 2 takes its densities from up to `MOST_FRAMES` frames, and the first piece of `iflag_ftype` 2 begins at
0, where PWMLFF reads a number that was never set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError
from pwmlff.models.bp.config import (
    N_ZETA,
    BPDescriptorConfig,
    Feature1Config,
    Feature2Config,
    Feature3Config,
    Feature4Config,
    GridConfig,
)
from pwmlff.models.bp.functions import SymmetryFunction

MOST_FRAMES = 200
_BINS = 1000


class Piece(NamedTuple):
    """A piecewise cosine: centre and half width in Å."""

    center: float
    half_width: float


def feature_functions(
    descriptor: BPDescriptorConfig, elements: Sequence[str], frames: Sequence[Frame] | None
) -> list[SymmetryFunction]:
    """Return the functions of `feature_type`.

    Args:
        descriptor: With a `feature_type`.
        elements: Symbols in type order.
        frames: Of the training data, for the grids that are made from them; None where they are not known.

    Raises:
        ConfigError: The grid is made from the training data, which is not known, or has too few neighbours.
    """
    if descriptor.feature_type == (3, 4):
        gaussians, angular = descriptor.feature_3 or Feature3Config(), descriptor.feature_4 or Feature4Config()
        return [*_gaussians(gaussians, descriptor.Rmax, elements), *_cosines(angular, descriptor.Rmax, elements)]
    return [*_feature_1(descriptor, elements, frames), *_feature_2(descriptor, elements, frames)]


def _gaussians(feature: Feature3Config, cutoff: float, elements: Sequence[str]) -> Iterator[SymmetryFunction]:
    n_widths = len(feature.w)
    centers = np.linspace(1.0, cutoff, math.ceil(feature.n2b / n_widths))
    for element in elements:
        for number in range(feature.n2b):
            center, width = centers[number // n_widths], feature.w[number % n_widths]
            yield SymmetryFunction(
                type="G2", neighbors=(element,), cutoff=cutoff, eta=1 / width**2, r_s=round(float(center), 6)
            )


def _cosines(feature: Feature4Config, cutoff: float, elements: Sequence[str]) -> Iterator[SymmetryFunction]:
    rows = [(feature.zeta**power, w, sign) for power in range(N_ZETA) for w in feature.w for sign in (1.0, -1.0)]
    for first, second in _pairs(elements):
        for zeta, width, sign in rows[: feature.n3b]:
            parameters = {"cutoff": cutoff, "eta": 1 / width**2, "lambda": sign, "zeta": zeta}
            factor = 2.0 if first == second else 1.0
            yield SymmetryFunction.model_validate(
                {"type": "G4", "neighbors": (first, second), "factor": factor, **parameters}
            )


def _feature_1(
    descriptor: BPDescriptorConfig, elements: Sequence[str], frames: Sequence[Frame] | None
) -> Iterator[SymmetryFunction]:
    feature = descriptor.feature_1 or Feature1Config()
    for central in _centers_of(feature, elements):
        density = _density_of_distances(feature, frames, central, descriptor.Rmax) if central else None
        pieces = _pieces(feature, feature.numOf2bfeat, descriptor, density)
        for element in elements:
            for piece in pieces:
                yield SymmetryFunction(
                    type="piece",
                    central=central,
                    neighbors=(element,),
                    centers=(piece.center,),
                    half_widths=(piece.half_width,),
                )


def _feature_2(
    descriptor: BPDescriptorConfig, elements: Sequence[str], frames: Sequence[Frame] | None
) -> Iterator[SymmetryFunction]:
    feature, cutoff = descriptor.feature_2 or Feature2Config(), descriptor.Rmax
    for central in _centers_of(feature, elements):
        density = between = None
        if central:
            density = _density_of_distances(feature, frames, central, cutoff)
            between = _smeared(_distances_between(frames or (), central, cutoff), feature.dR2, feature, cutoff)
        to_center = _pieces(feature, feature.numOf3bfeat1, descriptor, density)
        opposite = _pieces(feature, feature.numOf3bfeat2, descriptor, between)
        for first, second in _pairs(elements):
            for k1, piece_1 in enumerate(to_center):
                for piece_2 in to_center[k1 if first == second else 0 :]:
                    for piece_3 in opposite:
                        pieces = (piece_1, piece_2, piece_3)
                        yield SymmetryFunction(
                            type="triple",
                            central=central,
                            neighbors=(first, second),
                            centers=tuple(piece.center for piece in pieces),
                            half_widths=tuple(piece.half_width for piece in pieces),
                        )


def _pairs(elements: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of elements in the order of PWMLFF: by the second, then by the first, which comes no later."""
    pairs = combinations_with_replacement(range(len(elements)), 2)
    return [(elements[first], elements[second]) for first, second in sorted(pairs, key=lambda pair: pair[::-1])]


def _centers_of(feature: GridConfig, elements: Sequence[str]) -> Sequence[str | None]:
    """Return the central elements that have functions of their own; None where all have the same."""
    return list(elements) if feature.iflag_grid == 2 else [None]


def _pieces(
    feature: GridConfig, count: int, descriptor: BPDescriptorConfig, density: NDArray[np.float64] | None
) -> list[Piece]:
    """Return the pieces of a grid with so many of them; the density of distances [bins + 1] is for grid 2."""
    cutoff = descriptor.Rmax
    if feature.iflag_grid == 3:
        centers = (9.0 ** (np.arange(1, count + 1) / (count + 1)) - 1.0) * cutoff / 8.0
        return [Piece(float(center), float(cutoff - centers[-1])) for center in centers]
    if feature.iflag_grid == 1:
        ratio = (1.0 + cutoff / descriptor.Rmin) ** (1.0 / (count + 1))
        grid = descriptor.Rmin * (ratio ** np.arange(count + 2) - 1.0)
    else:
        assert density is not None
        grid = _even_grid(density, count, cutoff)
    lowest = grid[:-2] if feature.iflag_ftype == 1 else np.concatenate([[0.0], grid[:-3]])
    return [Piece(float(low + high) / 2, float(high - low) / 2) for low, high in zip(lowest, grid[2:], strict=True)]


def _even_grid(density: NDArray[np.float64], count: int, cutoff: float) -> NDArray[np.float64]:
    """Return a grid [count + 2] from 0 to the cutoff with about the same integral of the density in each interval."""
    integral = np.concatenate([[0.0], np.cumsum(density[:-1])])
    share = integral[-1] / (count + 1) * (1 - 1e-8)
    grid = np.zeros(count + 2)
    number = 1
    for place in range(1, _BINS + 1):
        if number <= count and integral[place] > number * share:  # at most one point in each bin
            grid[number] = cutoff * place / _BINS
            number += 1
    grid[-1] = cutoff
    for k in range(1, count + 1):  # no interval is more than twice as long as the next
        if grid[k] - grid[k - 1] > 2 * (grid[k + 1] - grid[k]):
            grid[k] = (2 * grid[k - 1] + grid[k + 1]) / 3
        if grid[k + 1] - grid[k] > 2 * (grid[k] - grid[k - 1]):
            grid[k] = (grid[k - 1] + 2 * grid[k + 1]) / 3
    return grid


def _density_of_distances(
    feature: GridConfig, frames: Sequence[Frame] | None, central: str, cutoff: float
) -> NDArray[np.float64]:
    """Return the smeared density [bins + 1] of the distances from atoms of an element, near ones counting more."""
    if frames is None:
        raise ConfigError("`iflag_grid` 2 makes its grid from the training data, which is not known here")
    counts = np.zeros(_BINS + 1)
    for vectors in _neighborhoods(frames, central, cutoff):
        counts += _histogram(np.linalg.norm(vectors, axis=1), cutoff)
    if not counts.any():
        raise ConfigError(f"`iflag_grid` 2: {central} has no neighbours in the training data within {cutoff:g} Å")
    return _smeared(counts / (np.arange(_BINS + 1) + _BINS / 5) ** 4, feature.dR1, feature, cutoff)


def _distances_between(frames: Sequence[Frame], central: str, cutoff: float) -> NDArray[np.float64]:
    """Count the distances [bins + 1] between neighbours of atoms of an element; longer ones are in the last bin."""
    counts = np.zeros(_BINS + 1)
    for vectors in _neighborhoods(frames, central, cutoff):
        first, second = np.triu_indices(len(vectors), 1)
        counts += _histogram(np.linalg.norm(vectors[first] - vectors[second], axis=1), cutoff)
    return counts


def _neighborhoods(frames: Sequence[Frame], central: str, cutoff: float) -> Iterator[NDArray[np.float64]]:
    """Yield the vectors to the neighbours of each atom of an element, in frames spread over all."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).astype(int))
    for frame in (frames[int(index)] for index in chosen):
        neighbors = neighbor_list(frame, cutoff)
        for atom in np.flatnonzero(frame.atomic_numbers == atomic_number_of(central)):
            yield neighbors.pair_vectors[neighbors.pair_start[atom] : neighbors.pair_start[atom + 1]]


def _histogram(distances: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
    bins = np.minimum((distances / cutoff * _BINS).astype(int), _BINS - 1)
    return np.bincount(bins, minlength=_BINS + 1).astype(np.float64)


def _smeared(density: NDArray[np.float64], width: float, feature: GridConfig, cutoff: float) -> NDArray[np.float64]:
    """Return a density [bins + 1] smeared over twice a width in Å, with a part of its mean added."""
    reach = int(width / cutoff * _BINS)
    if not 1 <= reach <= _BINS:
        raise ConfigError(f"`dR1` and `dR2`: expected {cutoff / _BINS:g} to {cutoff:g} Å, got {width:g}")
    smeared = np.convolve(density, np.ones(2 * reach + 1))[reach : reach + _BINS + 1] / (2 * reach)
    return smeared + feature.fact_base * smeared.sum() / _BINS
