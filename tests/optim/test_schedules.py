"""Schedules against closed forms."""

from __future__ import annotations

import math

import pytest

from pwmlff.optim.schedules import cosine_restarts, ends_cycle, exponential_decay, interpolate_weight


def test_stairs_of_pwmlff() -> None:
    start, stop, stop_step, decay_step = 1e-3, 3.51e-8, 1_000_000, 5000
    rate = math.exp(math.log(stop / start) * decay_step / stop_step)
    for step in (0, 1, 4999, 5000, 5001, 123_456, 999_999):
        expected = start * rate ** (step // decay_step)
        got = exponential_decay(step, start, stop, stop_step, decay_step, smooth=False)
        assert got == pytest.approx(expected, rel=1e-12)


def test_smooth_decay_is_the_exponential_and_stops() -> None:
    for step in (0, 7, 50, 99):
        got = exponential_decay(step, 1e-2, 1e-4, 100, 10, smooth=True)
        assert got == pytest.approx(1e-2 * 10 ** (-2 * step / 100), rel=1e-12)
    assert exponential_decay(100, 1e-2, 1e-4, 100, 10, smooth=True) == 1e-4
    assert exponential_decay(10_000, 1e-2, 1e-4, 100, 10, smooth=False) == 1e-4


def test_cosine_restarts_begin_high_and_lengthen() -> None:
    first, factor = 10, 2.0
    assert cosine_restarts(0, 1.0, 0.1, first, factor) == pytest.approx(1.0)
    assert cosine_restarts(5, 1.0, 0.1, first, factor) == pytest.approx(0.55)
    # cycles of 10, 20, 40 steps: restarts after 10 (2^n - 1) steps
    restarts = [step for step in range(1, 200) if ends_cycle(step, first, factor)]
    assert restarts == [10, 30, 70, 150]
    for step in restarts:
        assert cosine_restarts(step, 1.0, 0.1, first, factor) == pytest.approx(1.0)
        assert cosine_restarts(step - 1, 1.0, 0.1, first, factor) < 0.2


def test_equal_cycles() -> None:
    assert [step for step in range(1, 20) if ends_cycle(step, 5, 1.0)] == [5, 10, 15]


def test_weight_follows_the_rate() -> None:
    assert interpolate_weight(1000.0, 1.0, 1e-3, 1e-3) == 1000.0
    assert interpolate_weight(1000.0, 1.0, 0.0, 1e-3) == 1.0
    assert interpolate_weight(0.02, 1.0, 5e-4, 1e-3) == pytest.approx(0.51)
