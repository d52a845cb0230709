"""Times a model and its compressed form on the spot."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import torch

from pwmlff.data.batch import Batch, Sample, collate
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import Potential

_N_ROUNDS = 5
_N_PAIRS = 16384  # of the batch, as many as the LAMMPS plugin gives a model at a time


@dataclass(frozen=True)
class Speed:
    """Time of energies and forces.

    Attributes:
        original: µs per atom.
        compressed: µs per atom.
        n_atoms: Of the batch that was evaluated.
        n_threads: On which it was.
    """

    original: float
    compressed: float
    n_atoms: int
    n_threads: int

    @property
    def ratio(self) -> float:
        """How many times as fast the compressed model is."""
        return self.original / self.compressed


def measure_speed(original: Potential, compressed: Potential, frames: Sequence[Frame]) -> Speed:
    """Time both models by turns on some of the frames and take the medians.

    Args:
        original: The reference, frozen by this.
        compressed: Of the same elements and cutoff, likewise.
        frames: At least one.
    """
    batch = _batch(original, frames)
    models = original.frozen(), compressed.frozen()
    for model in models:  # the first call prepares weights
        model.energies_and_gradients(*batch.pairs)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_N_ROUNDS):
        for model, seconds in zip(models, times, strict=True):
            start = time.perf_counter()
            model.energies_and_gradients(*batch.pairs)
            seconds.append(time.perf_counter() - start)
    n_atoms = len(batch.atom_types)
    first, second = (1e6 * statistics.median(seconds) / n_atoms for seconds in times)
    return Speed(first, second, n_atoms, torch.get_num_threads())


def _batch(potential: Potential, frames: Sequence[Frame]) -> Batch:
    """Collate frames, again from the first one where they are few, until there are enough pairs or atoms."""
    dataset = FrameDataset(frames, potential.elements, potential.cutoff)
    samples: list[Sample] = []
    n_pairs = n_atoms = 0
    for index in cycle(range(len(dataset))):
        samples.append(dataset[index])
        n_pairs += len(samples[-1].neighbors.pair_neighbors)
        n_atoms += len(samples[-1].atom_types)
        if max(n_pairs, n_atoms) >= _N_PAIRS:
            return collate(samples)
    raise AssertionError("`cycle` ends only when there is no frame")
