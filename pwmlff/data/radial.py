"""How many neighbours there are at each distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.batch import make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of

_MOST_FRAMES = 40
_SHELL = 0.05  # Å, of counts


def radial_density(frames: Sequence[Frame], elements: Sequence[str], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the density of neighbours around atoms, from frames evenly spread over the data.

    Args:
        frames: The data.
        elements: Symbols in type order; other elements do not occur.
        edges: [n + 1] of shells, from near to far, Å.

    Returns:
        [T, T, n] 1/Å³, by the types of atom and neighbour; 0 for elements that do not occur.
    """
    counts, n_atoms = _counts(frames, elements, edges)
    volumes = 4 / 3 * np.pi * np.diff(edges**3)
    return counts / np.maximum(n_atoms, 1)[:, None, None] / volumes


def reach_of_neighbors(
    frames: Sequence[Frame], elements: Sequence[str], numbers: Sequence[float], farthest: float
) -> list[float]:
    """Return the distances within which atoms have so many neighbours on average; at most `farthest`, Å."""
    edges = np.linspace(0.0, farthest, round(farthest / _SHELL) + 1)
    counts, n_atoms = _counts(frames, elements, edges)
    neighbors = np.cumsum(counts.sum(axis=(0, 1))) / max(n_atoms.sum(), 1)
    shells = np.minimum(np.searchsorted(neighbors, numbers), len(neighbors) - 1)
    return [float(distance) for distance in edges[1:][shells]]


def _counts(
    frames: Sequence[Frame], elements: Sequence[str], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pairs in each shell [T, T, n], by the types of atom and neighbour, and the atoms [T]."""
    type_of = {atomic_number_of(element): place for place, element in enumerate(elements)}
    n_types = len(elements)
    counts, n_atoms = np.zeros((n_types, n_types, len(edges) - 1)), np.zeros(n_types)
    places = np.unique(np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(int))
    for place in places:
        sample = make_sample(frames[int(place)], type_of, float(edges[-1]))
        types, neighbors = sample.atom_types, sample.neighbors
        n_atoms += np.bincount(types, minlength=n_types)
        central = np.repeat(types, np.diff(neighbors.pair_start))
        shells = np.searchsorted(edges, np.linalg.norm(neighbors.pair_vectors, axis=1), side="right") - 1
        is_met = (shells >= 0) & (shells < len(edges) - 1)
        np.add.at(counts, (central[is_met], types[neighbors.pair_neighbors][is_met], shells[is_met]), 1)
    return counts, n_atoms
