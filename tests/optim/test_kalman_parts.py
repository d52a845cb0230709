"""Batches cut into parts of whole frames."""

from __future__ import annotations

import pytest
import torch

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.optim.kalman_parts import order_by_part, sum_parts


@pytest.fixture
def data(two_element_frames: list[Frame]) -> FrameDataset:
    return FrameDataset(two_element_frames, ["Cu", "Au"], 4.0)


def _parts(batch: Batch, n_parts: int) -> list[list[str]]:
    ordered, offsets = order_by_part(batch, n_parts)
    bounds = offsets.tolist()
    return [sorted(ordered.where[first:last]) for first, last in zip(bounds[:-1], bounds[1:], strict=True)]


def test_parts_do_not_depend_on_the_order_of_the_frames(data: FrameDataset) -> None:
    parts = _parts(data.batch([0, 1, 2, 3, 4]), 2)
    assert parts == _parts(data.batch([4, 2, 0, 1, 3]), 2)
    assert sorted(len(part) for part in parts) == [2, 3]


def test_one_part_per_frame(data: FrameDataset) -> None:
    batch = data.batch([0, 1, 2])
    assert [len(part) for part in _parts(batch, 0)] == [1, 1, 1]
    assert [len(part) for part in _parts(batch, 8)] == [1, 1, 1]
    assert order_by_part(batch, 1)[0] is batch
    assert _parts(batch, 1) == [sorted(batch.where)]


def test_rows_of_frames_add_up_to_those_of_parts() -> None:
    rows = torch.arange(8.0).view(4, 2)
    expected = torch.tensor([[0.0, 0.0], [6.0, 9.0], [6.0, 7.0]])
    assert torch.equal(sum_parts(rows, torch.tensor([0, 0, 3, 4])), expected)
