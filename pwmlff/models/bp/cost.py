"""What symmetry functions cost: terms of the sums around an atom, on average over the atoms of an element.

A radial function has a term for each neighbour that it sees. G5 of a whole zeta up to 8 has (zeta + 1)^2, one for each
spherical harmonic of a moment (`csrc/core/bp/moment_plan.hpp`); other angular functions have one for each pair of
neighbours, j < k. What a term takes depends on the machine and on what functions share; the number of terms does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pwmlff.data.batch import Batch
from pwmlff.models.bp.functions import SymmetryFunction

_LARGEST_ZETA = 8  # of moments


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
        harmonics = _harmonics(function)
        if function.neighbors is None:
            return float(neighbors.sum() * max(harmonics, 1) if function.is_radial or harmonics else 0.5 * pairs.sum())
        types = [self._types[element] for element in function.neighbors]
        if function.is_radial:
            return float(neighbors[types[0]])
        if harmonics:
            return float(harmonics * neighbors[list(set(types))].sum())
        first, second = types
        return float(pairs[first, second] * (0.5 if first == second else 1.0))


def _harmonics(function: SymmetryFunction) -> int:
    """Return how many a moment of the function has; 0 where it is summed over pairs of neighbours."""
    zeta = function.zeta
    is_summed = function.type == "G5" and zeta is not None and zeta == int(zeta) and zeta <= _LARGEST_ZETA
    return (int(zeta) + 1) ** 2 if is_summed and zeta is not None else 0
