"""The weight average against its closed form."""

from __future__ import annotations

import torch
from torch import nn

from pwmlff.optim.ema import WeightAverage


def test_average_is_the_weighted_mean_of_all_weights() -> None:
    module, decay, n = nn.Linear(2, 3, dtype=torch.float64), 0.9, 7
    average = WeightAverage(module, decay)
    seen = []
    for _ in range(n):
        with torch.no_grad():
            module.weight.normal_()
        seen.append(module.weight.detach().clone())
        average.update()
    shares = torch.tensor([decay ** (n - 1 - k) for k in range(n)], dtype=torch.float64)
    expected = (shares[:, None, None] * torch.stack(seen)).sum(0) / shares.sum()
    with average.applied():
        torch.testing.assert_close(module.weight.detach(), expected, rtol=1e-13, atol=1e-15)
    assert torch.equal(module.weight.detach(), seen[-1])


def test_state_goes_through_a_file_that_holds_the_average() -> None:
    module = nn.Linear(2, 2, dtype=torch.float64)
    average = WeightAverage(module, 0.5)
    average.update()
    with torch.no_grad():
        module.weight.add_(1.0)
    average.update()
    tensors, state = average.state()
    other = nn.Linear(2, 2, dtype=torch.float64)
    with average.applied():
        other.load_state_dict(module.state_dict())
    restored = WeightAverage(other, 0.5)
    restored.load_state(tensors, state)
    assert torch.equal(other.weight, module.weight)
    for one in (average, restored):
        one.update()
    with average.applied(), restored.applied():
        assert torch.equal(other.weight, module.weight)


def test_the_average_can_have_buffers_of_its_own() -> None:
    module = nn.BatchNorm1d(2, dtype=torch.float64)
    average = WeightAverage(module, 0.5, own=["running_mean"])
    with average.applied():
        module.running_mean.fill_(3.0)
        module.running_var.fill_(5.0)
    assert module.running_mean.tolist() == [0.0, 0.0]
    assert module.running_var.tolist() == [5.0, 5.0]
    with average.applied():
        assert module.running_mean.tolist() == [3.0, 3.0]


def test_restarted_average_knows_nothing_of_before() -> None:
    module = nn.Linear(2, 2, dtype=torch.float64)
    average = WeightAverage(module, 0.9)
    for _ in range(5):
        average.update()
    with torch.no_grad():
        module.weight.add_(1.0)
    average.restart()
    average.update()
    present = module.weight.detach().clone()
    with average.applied():
        torch.testing.assert_close(module.weight.detach(), present, rtol=0, atol=0)
