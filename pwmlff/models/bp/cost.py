"""What symmetry functions cost: terms of the sums around an atom, on average over the atoms of an element.

A radial function has a term for each neighbour, an angular one for each pair of neighbours, of the elements that it
sees, j < k. What a term takes depends on the machine and on what functions share; the number of terms does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pwmlff.data.batch import Batch
from pwmlff.models.bp.functions import SymmetryFunction


class Surroundings:
    """Mean numbers of neighbours, and of pairs of them, within a cutoff.

    Args:
        elements: Symbols in type order.
    """

    def __init__(self, elements: Sequence[str]) -> None:
        n_types = len(elements)
        self._types = {element: place for place, element in enumerate(elements)}
        self._n_atoms = np.zeros(n_types)
        self._neighbors = np.zeros((n_types, n_types))  # sums over atoms of a type
        self._pairs = np.zeros((n_types, n_types, n_types))  # the same of ordered pairs

    def add(self, batch: Batch) -> None:
        """Count the neighbours in some frames."""
        n_types = len(self._types)
        place = batch.pair_centers * n_types + batch.pair_types
        around = torch.bincount(place, minlength=len(batch.atom_types) * n_types).reshape(-1, n_types).double().numpy()
        types = batch.atom_types.numpy()
        np.add.at(self._n_atoms, types, 1.0)
        np.add.at(self._neighbors, types, around)
        np.add.at(self._pairs, types, around[:, :, None] * (around[:, None, :] - np.eye(n_types)))

    def terms(self, central: int, function: SymmetryFunction) -> float:
        """Return the terms of a function that reaches to the cutoff, per atom of a type."""
        n_atoms = max(self._n_atoms[central], 1.0)
        neighbors, pairs = self._neighbors[central] / n_atoms, self._pairs[central] / n_atoms
        if function.neighbors is None:
            return float(neighbors.sum() if function.is_radial else 0.5 * pairs.sum())
        types = [self._types[element] for element in function.neighbors]
        if function.is_radial:
            return float(neighbors[types[0]])
        first, second = types
        return float(pairs[first, second] * (0.5 if first == second else 1.0))
