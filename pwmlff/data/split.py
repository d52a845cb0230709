"""How frames are dealt to training and validation: one rule for `pwmlff train` and for `pwmlff data convert`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum

import numpy as np
from numpy.typing import NDArray


class SplitBy(str, Enum):
    """Names of the rules: the first part of each source file in time, or a random draw from all frames."""

    TIME = "time"
    RANDOM = "random"


def split_frames(
    n_frames: int, valid_ratio: float, by: SplitBy, *, seed: int, source_of: Callable[[int], Hashable]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the frames to hold out for validation.

    Args:
        n_frames: Number of frames F.
        valid_ratio: Fraction to hold out, rounded to whole frames; at least one frame is left for training, with TIME
            one of each source.
        by: TIME holds out the last frames of each source, RANDOM draws from all frames.
        seed: Of RANDOM.
        source_of: Tells TIME which source a frame comes from; frames of a source are in the order of time.

    Returns:
        Indices of the training and of the validation frames, each in ascending order.
    """
    held_out: list[int] = []
    if by is SplitBy.TIME:
        members: dict[Hashable, list[int]] = {}
        for index in range(n_frames):
            members.setdefault(source_of(index), []).append(index)
        for indices in members.values():
            n_kept = max(1, len(indices) - round(valid_ratio * len(indices)))
            held_out += indices[n_kept:]
    else:
        n_held_out = min(round(valid_ratio * n_frames), n_frames - 1)
        held_out = np.random.default_rng(seed).permutation(n_frames)[:n_held_out].tolist()
    is_held_out = np.zeros(n_frames, dtype=bool)
    is_held_out[held_out] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
