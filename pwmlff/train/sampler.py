"""Which frames make up which batch: a pure function of seed, epoch and number, so a position is two integers.

An epoch is one pass over the frames, or several where batches are few.

Batches do not depend on the number of processes; only afterwards is each one dealt to them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pwmlff import distributed


class BatchSampler:
    """Deals the frames of each pass into batches; the last one may be smaller, no frame is dropped."""

    def __init__(
        self,
        n_frames: int,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        work: NDArray[np.int64] | None = None,
        weights: NDArray[np.float64] | None = None,
        least_batches: int = 1,
    ) -> None:
        """Describe the batches.

        Args:
            n_frames: Frames of the data set.
            batch_size: Frames per batch, over all processes together.
            shuffle: Draw a new order in each pass; else the order of the data.
            seed: Of the orders.
            work: [n_frames] what each frame costs, for instance its number of atoms; None where all cost the same.
            weights: [n_frames] how often each frame is drawn in a pass, on average; None where all are drawn once.
            least_batches: Batches of an epoch at least.
        """
        self.n_frames = n_frames
        self.weights = weights
        self.n_drawn = n_frames if weights is None else max(1, round(float(weights.sum())))
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.work = np.ones(n_frames, dtype=np.int64) if work is None else work

        self._n_in_pass = -(-self.n_drawn // batch_size)
        self._n_passes = -(-least_batches // self._n_in_pass)

    def __len__(self) -> int:
        """Batches per epoch."""
        return self._n_passes * self._n_in_pass

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the frames of an epoch in their order, [n_drawn] for each pass."""
        rng = np.random.default_rng([self.seed, epoch])
        return np.concatenate([self._pass(rng) for _ in range(self._n_passes)])

    def _pass(self, rng: np.random.Generator) -> NDArray[np.int64]:
        order = rng.permutation(self.n_frames) if self.shuffle else np.arange(self.n_frames)
        if self.weights is None:
            return order
        drawn = order[_systematic(self.weights[order], self.n_drawn, rng.random())]
        return drawn[rng.permutation(self.n_drawn)] if self.shuffle else drawn

    def batches(self, epoch: int, start: int = 0) -> Iterator[NDArray[np.int64]]:
        """Yield the frame indices of each batch of an epoch.

        Args:
            epoch: Number of the epoch.
            start: Batches to leave out, because they are done.
        """
        passes = self.order(epoch).reshape(self._n_passes, self.n_drawn)
        for number in range(start, len(self)):
            first = number % self._n_in_pass * self.batch_size
            yield passes[number // self._n_in_pass, first : first + self.batch_size]

    def shares(self, epoch: int, start: int = 0) -> Iterator[NDArray[np.int64]]:
        """Yield this process's part of each batch; see `batches`. It may be empty."""
        for indices in self.batches(epoch, start):
            yield deal(indices, self.work, distributed.size())[distributed.rank()]


def _systematic(weights: NDArray[np.float64], n_drawn: int, offset: float) -> NDArray[np.int64]:
    """Draw places so that each comes as often as its weight says, rounded down or up (systematic sampling).

    Args:
        weights: [F], not all 0.
        n_drawn: Number of places to draw, the sum of the weights to rounding.
        offset: Uniform in [0, 1), which makes the mean over many draws exact.

    Returns:
        [n_drawn] places in ascending order.
    """
    ends = np.cumsum(weights) * (n_drawn / weights.sum())
    places = np.searchsorted(ends, np.arange(n_drawn) + offset, side="right")
    return np.minimum(places, np.flatnonzero(weights)[-1])  # where rounding lets the last end fall short


def deal(indices: NDArray[np.int64], work: NDArray[np.int64], n_shares: int) -> list[NDArray[np.int64]]:
    """Deal the frames of a batch into shares of about the same work.

    The largest frame left goes to the share with the least work so far (Graham 1969: at most 4/3 of the best maximum).

    Args:
        indices: [B] frames of the batch.
        work: Of each frame of the data set, for instance its number of atoms.
        n_shares: Number of processes.

    Returns:
        One list per share, in the order of the batch; empty where there are fewer frames than shares.
    """
    if n_shares == 1:
        return [indices]
    sizes = work[indices]
    loads = [0] * n_shares
    owner = np.empty(len(indices), dtype=np.int64)
    for place in np.argsort(-sizes, kind="stable"):
        owner[place] = loads.index(min(loads))
        loads[owner[place]] += int(sizes[place])
    return [indices[owner == share] for share in range(n_shares)]
