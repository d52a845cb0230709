"""The block rule of LKF, and weights as one vector."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pwmlff.optim.kalman import GlobalKalmanUpdate, KalmanConfig, KalmanUpdate
from pwmlff.optim.kalman_blocks import WeightVector, split_blocks


@pytest.mark.parametrize(
    ("sizes", "bounds"),
    [
        ([3, 4, 3], [0, 10]),  # all fit
        ([3, 4, 4], [0, 7, 11]),  # the third would exceed
        ([10], [0, 10]),
        ([25], [0, 10, 20, 25]),  # split in chunks and a rest
        ([3, 25, 4], [0, 3, 13, 23, 28, 32]),  # the rest stands alone
        ([3, 10, 4], [0, 3, 13, 17]),
        ([20, 5, 5, 1], [0, 10, 20, 30, 31]),
    ],
)
def test_small_are_gathered_and_large_are_split(sizes: list[int], bounds: list[int]) -> None:
    assert split_blocks(sizes, 10) == list(zip(bounds[:-1], bounds[1:], strict=True))


def test_weights_are_read_and_written_in_order() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    net[0].bias.requires_grad_(False)
    vector = WeightVector(net)
    assert len(vector) == 6 + 3 + 1
    values = torch.arange(10, dtype=torch.float64)
    vector.write(values)
    assert torch.equal(vector.read(), values)
    assert torch.equal(net[1].weight.detach(), torch.tensor([[6.0, 7.0, 8.0]]))


def test_gradients_of_one_graph() -> None:
    net = nn.Linear(2, 1).to(torch.float64)
    vector = WeightVector(net)
    out = net(torch.tensor([[2.0, 3.0]], dtype=torch.float64))
    first, second, third = rows = torch.full((3, len(vector)), torch.nan, dtype=torch.float64)
    vector.write_gradients([out.sum(), out.square().sum(), torch.zeros(())], rows)
    torch.testing.assert_close(first, torch.tensor([2.0, 3.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(second, 2 * float(out.detach()) * first)
    assert not third.any()


@pytest.mark.parametrize(
    ("given", "n_weights", "longest"), [(None, 5120, 5120), (None, 5121, 2048), (512, 3000, 512), (5120, 300, 300)]
)
def test_small_models_are_one_block(given: int | None, n_weights: int, longest: int) -> None:
    config = KalmanConfig(block_size=given)
    assert KalmanUpdate.longest_block(config, n_weights) == longest
    assert GlobalKalmanUpdate.longest_block(config, n_weights) == n_weights
