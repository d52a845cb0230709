"""Which frames are held out."""

from __future__ import annotations

import numpy as np
import pytest

from pwmlff.data.split import SplitBy, split_frames

BOTH = pytest.mark.parametrize("by", list(SplitBy))


@BOTH
def test_every_frame_is_dealt_once(by: SplitBy) -> None:
    train, valid = split_frames(6, 0.34, by, seed=3, source_of=lambda index: "a")
    assert sorted([*train, *valid]) == list(range(6))
    assert len(valid) == 2


def test_time_holds_out_the_last_frames_of_each_source() -> None:
    _, valid = split_frames(15, 0.2, SplitBy.TIME, seed=3, source_of=lambda index: index % 3)
    assert valid.tolist() == [12, 13, 14]


@BOTH
def test_one_frame_is_left_to_train_on(by: SplitBy) -> None:
    train, valid = split_frames(1, 0.9, by, seed=3, source_of=lambda index: "a")
    assert (train.tolist(), valid.tolist()) == ([0], [])


def test_random_frames_are_those_of_earlier_versions() -> None:
    """Runs that were interrupted go on with the frames they were started with."""
    _, valid = split_frames(20, 0.25, SplitBy.RANDOM, seed=2023, source_of=lambda index: "a")
    assert valid.tolist() == sorted(np.random.default_rng(2023).permutation(20)[:5])
