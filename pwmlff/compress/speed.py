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

_N_ROUNDS = 7
_N_PAIRS = 16384  # of the batch, as many as the LAMMPS plugin gives a model at a time


@dataclass(frozen=True)
class Spread:
    """What came of several measurements; on a busy machine they lie far apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Speed:
    """Time of energies and forces.

    Attributes:
        original: µs per atom.
        compressed: µs per atom.
        ratio: How many times as fast the compressed model is, turn by turn: a disturbance that lasts slows both.
        n_turns: How often both were measured.
        n_atoms: Of the batch that was evaluated.
        n_threads: On which it was.
    """

    original: Spread
    compressed: Spread
    ratio: Spread
    n_turns: int
    n_atoms: int
    n_threads: int


def measure_speed(original: Potential, compressed: Potential, frames: Sequence[Frame]) -> Speed:
    """Time both models by turns on some of the frames.

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
    first, second = ([1e6 * value / n_atoms for value in seconds] for seconds in times)
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    return Speed(Spread.of(first), Spread.of(second), Spread.of(ratios), _N_ROUNDS, n_atoms, torch.get_num_threads())


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
