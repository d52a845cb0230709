"""A model file as a function of one structure, evaluated in blocks of atoms.

With `r_ij = r_j - r_i` and `g_ij = dE_i/dr_ij`, sums over the pairs of the atoms of each block give

    F_i += g_ij,  F_j -= g_ij        W_j -= r_ij (x) g_ij

so that memory beyond the neighbour list does not grow with the structure. `W_j` is the per-atom virial of
`lammps_plugin/pair_pwmlff.cpp`: the virial of a pair goes to the neighbour, whose motion changes the energy of i. With
this division the heat flux of a many-body model comes out right.

Letters: `N` atoms, `E` pairs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pwmlff.data.batch import Sample
from pwmlff.errors import ModelFileError
from pwmlff.evaluate.evaluator import MAX_PAIRS
from pwmlff.evaluate.loading import load_model
from pwmlff.models import Potential
from pwmlff.ops.pairs import pair_centers


@dataclass(frozen=True)
class AtomResult:
    """What a model says of one structure, atom by atom.

    Attributes:
        atomic_energies: [N] eV.
        forces: [N, 3] eV/Å.
        atomic_virials: [N, 3, 3] eV; their sum is the virial. Single ones need not be symmetric.
    """

    atomic_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    atomic_virials: NDArray[np.float64]


@dataclass(frozen=True)
class PairModel:
    """A potential evaluated on one structure at a time.

    Attributes:
        potential: Frozen, on its device.
    """

    potential: Potential

    @classmethod
    def load(cls, path: Path | str, device: torch.device, trust: bool = False) -> PairModel:
        """Load a model file of any kind; arguments as in `load_model`.

        Raises:
            ModelFileError: The file is missing, damaged, no model, or needs trust.
        """
        return cls(load_model(path, device, trust))

    @classmethod
    def of_potential(cls, potential: Potential, device: torch.device) -> PairModel:
        """Copy a potential as it is now: training that goes on does not change the copy."""
        return cls(copy.deepcopy(potential).to(device).frozen())

    @property
    def elements(self) -> list[str]:
        """Symbols in type order."""
        return self.potential.elements

    @property
    def cutoff(self) -> float:
        """Å."""
        return self.potential.cutoff

    @property
    def type_of(self) -> dict[int, int]:
        """Type index of each atomic number."""
        return self.potential.type_of

    def evaluate(self, sample: Sample, max_pairs: int = MAX_PAIRS) -> AtomResult:
        """Evaluate one structure.

        Args:
            sample: The structure with this model's types and the neighbours within its cutoff.
            max_pairs: Most pairs of one block; an atom with more makes a block of its own.

        Raises:
            ModelFileError: The prediction is not a finite number.
        """
        n_atoms = len(sample.atom_types)
        energies = torch.zeros(n_atoms, dtype=torch.float64, device=self.potential.device)
        forces = energies.new_zeros(n_atoms, 3)
        virials = energies.new_zeros(n_atoms, 3, 3)
        for atoms in _blocks(sample.neighbors.pair_start, max_pairs):
            vectors, start, neighbors, neighbor_types, types = self._block(sample, atoms)
            block_energies, gradients = self.potential.energies_and_gradients(vectors, start, neighbor_types, types)
            centers = pair_centers(start) + atoms.start
            energies[atoms] = block_energies
            forces.index_add_(0, centers, gradients).index_add_(0, neighbors, gradients, alpha=-1)
            virials.index_add_(0, neighbors, vectors.unsqueeze(2) * gradients.unsqueeze(1), alpha=-1)
        result = AtomResult(energies.cpu().numpy(), forces.cpu().numpy(), virials.cpu().numpy())
        if not (np.isfinite(result.atomic_energies).all() and np.isfinite(result.forces).all()):
            raise ModelFileError(
                f"{sample.frame.where}: the model predicts {result.atomic_energies.sum()} eV, expected finite numbers; "
                "atoms may be much closer than in the training data, or its training may have diverged"
            )
        return result

    def _block(self, sample: Sample, atoms: slice) -> tuple[Tensor, ...]:
        """Pair vectors, start of each atom's pairs, neighbours, their types, and the types of the block's atoms."""
        start = sample.neighbors.pair_start[atoms.start : atoms.stop + 1]
        pairs = slice(start[0], start[-1])
        neighbors = sample.neighbors.pair_neighbors[pairs]
        arrays = (
            sample.neighbors.pair_vectors[pairs],
            start - start[0],
            neighbors,
            sample.atom_types[neighbors],
            sample.atom_types[atoms],
        )
        return tuple(torch.from_numpy(array).to(self.potential.device) for array in arrays)


def _blocks(pair_start: NDArray[np.int64], max_pairs: int) -> Iterator[slice]:
    """Cut the atoms into runs of at most `max_pairs` pairs."""
    n_atoms = len(pair_start) - 1
    first = 0
    while first < n_atoms:
        last = int(np.searchsorted(pair_start, pair_start[first] + max_pairs, side="right")) - 1
        last = min(max(last, first + 1), n_atoms)
        yield slice(first, last)
        first = last
