"""The guard of the Kalman filter: when weights are kept, when they are given up."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pwmlff import keys
from pwmlff.optim.kalman_guard import Guard


def _watch(guard: Guard, errors: list[float], weight: float) -> list[bool]:
    verdicts = []
    for error in errors:
        verdicts.append(guard.is_lost({keys.FORCES: error}))
        if not verdicts[-1]:
            guard.keep(torch.full((3,), weight))
    return verdicts


def test_noise_and_single_odd_frames_are_borne() -> None:
    rng, guard = np.random.default_rng(1), Guard(torch.zeros(3))
    errors = np.exp(rng.standard_normal(2000))  # one sigma is a factor of e
    errors[500::200] *= 1000
    errors[0], errors[1], errors[300:308] = 1e-15, 1e-6, 1e-15  # crystals without forces, and luck
    errors[310::9] = 1e-15
    assert not any(_watch(guard, errors.tolist(), 1.0))


@pytest.mark.parametrize("factor", [20.0, 1e6])
def test_lost_errors_bring_the_good_weights_back(factor: float) -> None:
    guard = Guard(torch.zeros(3))
    assert not any(_watch(guard, [1.0] * 60, 1.0))
    verdicts = _watch(guard, [factor] * 60, 2.0)
    assert any(verdicts)
    assert torch.equal(guard.roll_back(), torch.ones(3))
    assert guard.n_rollbacks == 1
    assert not any(_watch(guard, [1.0] * 60, 3.0))


def test_it_grows_firmer_until_progress_and_gives_up_without() -> None:
    guard = Guard(torch.zeros(3))
    _watch(guard, [1.0] * 60, 1.0)
    factors = []
    while not guard.has_given_up:
        assert any(_watch(guard, [50.0] * 60, 2.0))
        guard.roll_back()
        factors.append(guard.factor)
    assert factors[:3] == pytest.approx([0.1, 0.01, 0.001])
    assert len(factors) == 6
    _watch(guard, [1.0] * 60, 3.0)  # as good as before: all is forgotten
    assert not guard.has_given_up
    guard.is_lost({keys.FORCES: math.inf})
    assert torch.equal(guard.roll_back(), torch.full((3,), 3.0))
    assert guard.factor == pytest.approx(0.1)


def test_not_finite_is_lost_at_once() -> None:
    guard = Guard(torch.zeros(3))
    assert guard.is_lost({keys.ENERGY: math.nan})
    assert torch.equal(guard.roll_back(), torch.zeros(3))


def test_slow_progress_is_no_loss() -> None:
    guard = Guard(torch.zeros(3))
    assert not any(_watch(guard, [10 ** (-k / 100) for k in range(500)], 1.0))


def test_state_decides_the_same() -> None:
    guard = Guard(torch.zeros(3))
    _watch(guard, [1.0] * 50 + [5.0] * 7, 1.0)
    twin = Guard(torch.zeros(3))
    twin.load_state(*guard.state())
    assert _watch(guard, [30.0] * 40, 2.0) == _watch(twin, [30.0] * 40, 2.0)
    assert torch.equal(guard.roll_back(), twin.roll_back())
    twin.load_state(*guard.state())
    guard.roll_back(), twin.roll_back()
    assert guard.factor == twin.factor == pytest.approx(0.01)
