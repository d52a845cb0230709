"""Holes below the shortest distances, in curves made by hand and of potentials that have one or not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from morse import DEPTH, DISTANCE, STEEPNESS, morse, subject_of

from pwmlff.data.frame import Frame
from pwmlff.report.dimers import dimers_section
from pwmlff.report.pair_curves import Curve, dimer_curve, find_hole
from pwmlff.report.verdict import Grade


def test_a_rising_curve_has_no_hole() -> None:
    distances = np.linspace(3.0, 1.0, 50)
    assert find_hole(Curve(distances, 10 * (3.0 - distances)), 2.5) is None


def test_barrier_and_place_of_a_hole() -> None:
    distances = np.linspace(3.0, 1.0, 201)
    energies = np.where(distances > 1.5, 2.0 * (3.0 - distances), 3.0 - 20 * (1.5 - distances))
    hole = find_hole(Curve(distances, energies), 2.5)
    assert hole is not None
    assert hole.distance == pytest.approx(1.5, abs=0.01)
    assert hole.barrier == pytest.approx(2.0, abs=0.05)  # above the energy at 2.5 Å


def test_no_number_is_a_hole() -> None:
    hole = find_hole(Curve(np.array([2.0, 1.5, 1.0]), np.array([0.0, 1.0, np.nan])), 2.0)
    assert hole is not None
    assert hole.barrier == 1.0
    assert find_hole(Curve(np.array([2.0, 1.5]), np.array([np.nan, np.nan])), 2.0) is not None


def test_a_fall_above_the_shortest_distance_of_the_data_is_no_hole() -> None:
    distances = np.linspace(4.0, 1.0, 100)
    assert find_hole(Curve(distances, (distances - 2.0) ** 2), 2.0) is None


def test_dimer_curve_is_that_of_morse() -> None:
    curve = dimer_curve(morse(), (0, 0), DISTANCE)
    at = int(np.argmin(np.abs(curve.distances - DISTANCE)))
    assert curve.energies[at] == pytest.approx(-DEPTH, rel=1e-3)
    decay = np.exp(-STEEPNESS * (curve.distances[-1] - DISTANCE))
    assert curve.energies[-1] == pytest.approx(DEPTH * (decay**2 - 2 * decay))


@pytest.mark.parametrize(
    ("hole", "temperature", "grade"),
    # the barrier is 0.87 eV: 34 kT, 17 kT and 7 kT
    [(0.0, 600.0, Grade.GREEN), (200.0, 300.0, Grade.GREEN), (200.0, 600.0, Grade.AMBER), (200.0, 1500.0, Grade.RED)],
)
def test_section(shaken: Callable[..., list[Frame]], hole: float, temperature: float, grade: Grade) -> None:
    frames = shaken(4)
    subject = subject_of(morse(hole), frames[:2], frames[2:])
    section, shortest = dimers_section(subject, temperature, most_pairs=3, n_frames=2, on_pair=lambda part: None)
    assert section.grade is grade, section.findings
    assert 2.2 < shortest[(0, 0)] < DISTANCE
