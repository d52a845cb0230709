"""Batches cut into parts of whole frames."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.optim.kalman_parts import choose_frames, split_batch


@pytest.fixture
def data(two_element_frames: list[Frame]) -> FrameDataset:
    return FrameDataset(two_element_frames, ["Cu", "Au"], 4.0)


def _assert_same(one: Batch, other: Batch) -> None:
    for field in fields(Batch):
        first, second = getattr(one, field.name), getattr(other, field.name)
        assert torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second, field.name


@pytest.mark.parametrize("frames", [[0], [3, 1], [5, 4, 3, 2, 1, 0], []])
def test_chosen_frames_are_the_batch_of_these_frames(data: FrameDataset, frames: list[int]) -> None:
    chosen = choose_frames(data.batch(range(6)), frames)
    assert chosen.n_frames == len(frames)
    if frames:
        _assert_same(chosen, data.batch(frames))


def test_parts_do_not_depend_on_the_order_of_the_frames(data: FrameDataset) -> None:
    parts = [sorted(part.where) for part in split_batch(data.batch([0, 1, 2, 3, 4]), 2)]
    assert parts == [sorted(part.where) for part in split_batch(data.batch([4, 2, 0, 1, 3]), 2)]
    assert sorted(len(part) for part in parts) == [2, 3]


def test_one_part_per_frame(data: FrameDataset) -> None:
    assert [part.n_frames for part in split_batch(data.batch([0, 1, 2]), 0)] == [1, 1, 1]
    assert [part.n_frames for part in split_batch(data.batch([0, 1, 2]), 8)] == [1, 1, 1]
    batch = data.batch([0, 1, 2])
    assert split_batch(batch, 1)[0] is batch
