"""How frames are dealt to training and validation."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray


class SplitBy(str, Enum):
    """Names of the rules: the first part of each source file in time, or a random draw from all frames."""

    TIME = "time"
    RANDOM = "random"


def split_frames(source: NDArray[np.int64], fraction: float, by: SplitBy, seed: int) -> NDArray[np.bool_]:
    """Mark the training frames; each part gets at least one where there are two to deal.

    Args:
        source: [F] which source each frame comes from, in order of time within a source.
        fraction: Of the frames, for training.
        by: The rule.
        seed: Of the random rule.

    Returns:
        [F] True for training.
    """
    n_frames = len(source)
    is_train = np.zeros(n_frames, dtype=bool)
    if by is SplitBy.RANDOM:
        is_train[np.random.default_rng(seed).permutation(n_frames)[: _share(n_frames, fraction)]] = True
        return is_train
    for value in np.unique(source):
        members = np.flatnonzero(source == value)
        is_train[members[: _share(len(members), fraction)]] = True
    return is_train


def _share(n_frames: int, fraction: float) -> int:
    return min(max(round(n_frames * fraction), 1), max(n_frames - 1, 1))
