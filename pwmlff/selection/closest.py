"""Structures that no calculation should be spent on: atoms nearer to each other than they ever are."""

from __future__ import annotations

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.elements import size_of, symbol_of
from pwmlff.errors import DataFormatError

# Of the sum of covalent radii. Bonds have 0.75 to 1; the nearest atoms of liquids and of shocked metals some 0.6.
NEAREST_PART = 0.5


def unphysical(frame: Frame, bound: float | None = None) -> str | None:
    """Say which atoms are too near to each other; None where all is well.

    Args:
        frame: The structure.
        bound: Å, for all pairs; half the sum of the covalent radii of each pair when None.
    """
    numbers = np.unique(frame.atomic_numbers).tolist()
    largest = max(size_of(int(number)) for number in numbers)
    reach = 2 * NEAREST_PART * largest if bound is None else bound
    try:
        neighbors = neighbor_list(frame, reach)
    except DataFormatError as error:  # atoms at one place
        return str(error)
    if len(neighbors.pair_neighbors) == 0:
        return None
    distances = np.linalg.norm(neighbors.pair_vectors, axis=1)
    centers = np.repeat(np.arange(len(frame)), np.diff(neighbors.pair_start))
    radii = np.zeros(max(numbers) + 1)
    radii[numbers] = [size_of(int(number)) for number in numbers]
    of_atoms = radii[frame.atomic_numbers]
    limits = NEAREST_PART * (of_atoms[centers] + of_atoms[neighbors.pair_neighbors]) if bound is None else reach
    excess = distances - limits
    worst = int(excess.argmin())
    if excess[worst] >= 0:
        return None
    pair = [symbol_of(int(frame.atomic_numbers[atom])) for atom in (centers[worst], neighbors.pair_neighbors[worst])]
    limit = distances[worst] - excess[worst]
    return f"{frame.where}: {pair[0]} and {pair[1]} at {distances[worst]:.3f} Å, nearer than {limit:.3f} Å"
