"""Frames as a model sees them: typed, with neighbour lists, in batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.batch import Batch, Sample, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.elements import atomic_number_of


class FrameDataset:
    """A sequence of samples; neighbour lists are found on first use and kept within a memory budget.

    Args:
        frames: The structures; a lazy sequence is read as it is used.
        elements: Symbols in type order.
        cutoff: Å.
        cache_bytes: Memory for samples kept; the least recently used go first.
    """

    def __init__(
        self, frames: Sequence[Frame], elements: Sequence[str], cutoff: float, cache_bytes: int = 2**30
    ) -> None:
        self.frames = frames
        self.elements = list(elements)
        self.cutoff = cutoff
        self._type_of = {atomic_number_of(symbol): index for index, symbol in enumerate(elements)}
        self._cache: OrderedDict[int, Sample] = OrderedDict()
        self._cache_free = cache_bytes

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample, from the cache when it is there."""
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        sample = make_sample(self.frames[index], self._type_of, self.cutoff)
        self._cache[index] = sample
        self._cache_free -= _size_of(sample)
        while self._cache_free < 0 and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._cache_free += _size_of(oldest)
        return sample

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """[F] atoms of each frame, without finding neighbours."""
        return np.array([len(frame) for frame in self.frames], dtype=np.int64)

    def batch(self, indices: Sequence[int] | NDArray[np.int64]) -> Batch:
        """Collate the samples of the given frames."""
        return collate([self[int(index)] for index in indices])


def iterate_batches(
    dataset: FrameDataset, batch_size: int = 4, indices: Sequence[int] | NDArray[np.int64] | None = None
) -> Iterator[Batch]:
    """Yield batches in order; the last one may be smaller, none is dropped.

    By default they are small: what only passes over the frames then takes little memory.
    """
    chosen = np.arange(len(dataset)) if indices is None else np.asarray(indices)
    for first in range(0, len(chosen), batch_size):
        yield dataset.batch(chosen[first : first + batch_size])


def _size_of(sample: Sample) -> int:
    neighbors = sample.neighbors
    return neighbors.pair_vectors.nbytes + neighbors.pair_neighbors.nbytes + neighbors.pair_start.nbytes
