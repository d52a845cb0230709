"""Which frames make up which batch: a pure function of seed, epoch and number, so a position is two integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class BatchSampler:
    """Deals the frames of each epoch into batches; the last one may be smaller, no frame is dropped."""

    def __init__(self, n_frames: int, batch_size: int, *, shuffle: bool, seed: int) -> None:
        """Describe the batches.

        Args:
            n_frames: Frames of the data set.
            batch_size: Frames per batch.
            shuffle: Draw a new order in each epoch; else the order of the data.
            seed: Of the orders.
        """
        self.n_frames = n_frames
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-self.n_frames // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the [n_frames] order of the frames in an epoch."""
        if not self.shuffle:
            return np.arange(self.n_frames)
        return np.random.default_rng([self.seed, epoch]).permutation(self.n_frames)

    def batches(self, epoch: int, start: int = 0) -> Iterator[NDArray[np.int64]]:
        """Yield the frame indices of each batch of an epoch.

        Args:
            epoch: Number of the epoch.
            start: Batches to leave out, because they are done.
        """
        order = self.order(epoch)
        for first in range(start * self.batch_size, self.n_frames, self.batch_size):
            yield order[first : first + self.batch_size]
