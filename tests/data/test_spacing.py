from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.spacing import spacing_of

CELL = np.diag([6.0, 7.0, 8.0])


def _trajectory(step: float, n_frames: int = 60, source: str = "run") -> list[Frame]:
    """Atoms that swing about sites with an amplitude of 0.2 Å, the phase growing by `step` between frames."""
    rng = np.random.default_rng(3)
    sites, directions = rng.uniform(0, 6, (12, 3)), rng.normal(size=(12, 3))
    phases = rng.uniform(0, 2 * np.pi, 12)

    def positions(k: int) -> NDArray[np.float64]:
        moved: NDArray[np.float64] = sites + 0.2 * directions * np.sin(phases + step * k)[:, None]
        return moved

    return [
        Frame(atomic_numbers=np.full(12, 29), positions=positions(k), cell=CELL, source=source, index=k)
        for k in range(n_frames)
    ]


@pytest.mark.parametrize(("step", "is_dense"), [(0.02, True), (0.05, True), (1.0, False), (40.0, False)])
def test_steps_of_a_trajectory_are_told_from_samples(step: float, is_dense: bool) -> None:
    spacing = spacing_of(_trajectory(step))
    assert spacing is not None
    assert spacing.is_dense is is_dense


def test_distances_are_those_of_a_plain_loop() -> None:
    frames = _trajectory(0.05, n_frames=11)
    expected = []
    for step in (1, 10):
        moved = frames[step].positions - frames[0].positions
        expected.append(np.sqrt(((moved - moved.mean(axis=0)) ** 2).sum(axis=1).mean()))
    spacing = spacing_of(frames)
    assert spacing is not None
    np.testing.assert_allclose([spacing.next, spacing.further], expected, rtol=1e-12)


def test_images_and_drift_change_nothing() -> None:
    frames = _trajectory(0.05)
    rng = np.random.default_rng(4)
    moved = [
        replace(frame, positions=frame.positions + 0.05 * k + rng.integers(-2, 3, (12, 3)) @ CELL)
        for k, frame in enumerate(frames)
    ]
    one, other = spacing_of(frames), spacing_of(moved)
    assert one is not None
    assert other is not None
    assert (one.next, one.further) == pytest.approx((other.next, other.further))


def test_frames_of_other_sources_or_atoms_are_no_trajectory() -> None:
    frames = _trajectory(0.05)
    apart = [replace(frame, source=str(k)) for k, frame in enumerate(frames)]
    changing = [replace(frame, atomic_numbers=np.full(12, 29 + k % 2)) for k, frame in enumerate(frames)]
    assert [spacing_of(part) for part in (apart, changing, frames[:10], [])] == [None] * 4


def test_frames_that_do_not_move_are_not_called_dense() -> None:
    spacing = spacing_of(_trajectory(0.0))
    assert spacing is not None
    assert not spacing.is_dense
