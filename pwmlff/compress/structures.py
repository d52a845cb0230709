"""Structures made up from what a model knows of its training data, for a comparison when that data is gone.

Hard spheres at the density of the training frames: no pair is nearer than the shortest distance seen, and Monte Carlo
moves bring pairs close to it. Where these are not known, spheres are as large as covalent radii say, or fill half of
the space, as in a liquid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of, covalent_radius
from pwmlff.models import Potential

_N_SIDE = 3  # fcc cells of four atoms along each side
_N_SWEEPS = 30
_STEP = 0.3  # of a move, in units of the distance between neighbours
_PACKING = 0.5  # part of the space that spheres fill where the density is not known


def covalent_distances(elements: Sequence[str]) -> NDArray[np.float64]:
    """Return the distance [T] in Å of two atoms of each element in a molecule."""
    return np.array([2.0 * covalent_radius(symbol) for symbol in elements])


def hard_sphere_frames(
    potential: Potential, shortest: NDArray[np.float64], n_neighbors: float, n_frames: int, seed: int = 0
) -> list[Frame]:
    """Return periodic frames of all elements in equal parts.

    Args:
        potential: Gives elements and cutoff.
        shortest: [T] shortest distance of each element, Å.
        n_neighbors: Mean number of neighbours within the cutoff; 0 where it is not known.
        n_frames: How many.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    density = n_neighbors / (4.0 / 3.0 * math.pi * potential.cutoff**3)  # 1/Å^3
    if density == 0.0:
        density = _PACKING / float((math.pi / 6.0 * shortest**3).mean())
    side = _N_SIDE * (4.0 / density) ** (1.0 / 3.0)
    sites = np.stack(np.meshgrid(*[np.arange(2 * _N_SIDE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lattice = sites[sites.sum(axis=1) % 2 == 0] * (side / (2 * _N_SIDE))
    numbers = np.array([atomic_number_of(symbol) for symbol in potential.elements])
    frames = []
    for index in range(n_frames):
        types = rng.permutation(np.arange(len(lattice)) % len(numbers))
        radii = shortest[types]
        positions = _moved(lattice.copy(), np.maximum(radii[:, None], radii), side, rng)
        frames.append(
            Frame(
                atomic_numbers=numbers[types],
                positions=positions,
                cell=np.eye(3) * side,
                source="made-up structures",
                index=index,
            )
        )
    return frames


def _moved(
    positions: NDArray[np.float64], nearest: NDArray[np.float64], side: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Move atoms one by one at random; a move that brings a pair nearer than `nearest` [N, N] is not made."""
    n_atoms = len(positions)
    step = _STEP * side / n_atoms ** (1.0 / 3.0)
    for atom in np.tile(np.arange(n_atoms), _N_SWEEPS):
        trial = positions[atom] + rng.uniform(-step, step, 3)
        vectors = positions - trial
        distances = np.linalg.norm(vectors - side * np.round(vectors / side), axis=1)
        distances[atom] = np.inf
        if (distances >= nearest[atom]).all():
            positions[atom] = trial
    return positions
