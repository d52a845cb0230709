"""Batches cut into parts of whole frames."""

from __future__ import annotations

import pytest

from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.optim.kalman_parts import split_batch


@pytest.fixture
def data(two_element_frames: list[Frame]) -> FrameDataset:
    return FrameDataset(two_element_frames, ["Cu", "Au"], 4.0)


def test_parts_do_not_depend_on_the_order_of_the_frames(data: FrameDataset) -> None:
    parts = [sorted(part.where) for part in split_batch(data.batch([0, 1, 2, 3, 4]), 2)]
    assert parts == [sorted(part.where) for part in split_batch(data.batch([4, 2, 0, 1, 3]), 2)]
    assert sorted(len(part) for part in parts) == [2, 3]


def test_one_part_per_frame(data: FrameDataset) -> None:
    assert [part.n_frames for part in split_batch(data.batch([0, 1, 2]), 0)] == [1, 1, 1]
    assert [part.n_frames for part in split_batch(data.batch([0, 1, 2]), 8)] == [1, 1, 1]
    batch = data.batch([0, 1, 2])
    assert split_batch(batch, 1)[0] is batch
