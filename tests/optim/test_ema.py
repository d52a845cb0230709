"""The weight average against its closed forms."""

from __future__ import annotations

import math

import torch
from torch import nn

from pwmlff.optim.ema import WeightAverage


def averaged(decay: float, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the average after n updates, and the n weights that went into it."""
    module, seen = nn.Linear(2, 3, dtype=torch.float64), []
    average = WeightAverage(module, decay)
    for _ in range(n):
        with torch.no_grad():
            module.weight.normal_()
        seen.append(module.weight.detach().clone())
        average.update()
    with average.applied():
        result = module.weight.detach().clone()
    assert torch.equal(module.weight.detach(), seen[-1])
    return result, torch.stack(seen)


def test_young_average_is_the_mean_with_polynomial_shares() -> None:
    result, seen = averaged(0.9, 7)
    shares = torch.tensor([math.prod(range(k, k + 9)) for k in range(1, 8)], dtype=torch.float64)
    expected = torch.einsum("k,kij->ij", shares / shares.sum(), seen)
    torch.testing.assert_close(result, expected, rtol=1e-13, atol=1e-15)


def test_old_average_is_exponential() -> None:
    n, decay = 300, 0.9
    result, seen = averaged(decay, n)
    shares = torch.tensor([(1 - decay) * decay ** (n - 1 - k) for k in range(n)], dtype=torch.float64)
    torch.testing.assert_close(result, torch.einsum("k,kij->ij", shares, seen), rtol=1e-6, atol=1e-6)


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
