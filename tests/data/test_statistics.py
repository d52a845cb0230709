"""Energy shift per element: exact where the data determine it, of minimum norm where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from pwmlff.data.frame import Frame
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.errors import DataFormatError


def frame(n_li: int, n_h: int, energy: float | None) -> Frame:
    numbers = [3] * n_li + [1] * n_h
    positions = 3.0 * np.arange(len(numbers))[:, None] * [1, 0, 0]
    return Frame(atomic_numbers=numbers, positions=positions, cell=100 * np.eye(3), energy=energy)


def test_recovers_exact_energies() -> None:
    frames = [frame(a, b, -7.5 * a - 13.6 * b) for a, b in [(1, 0), (4, 4), (2, 6), (8, 1)]]
    assert fit_energy_shift(frames, ["Li", "H"]) == pytest.approx([-7.5, -13.6])
    assert fit_energy_shift(frames, ["H", "Li"]) == pytest.approx([-13.6, -7.5])


def test_fixed_composition_shares_the_energy() -> None:
    frames = [frame(4, 4, -40.0 + noise) for noise in (-0.1, 0.1)]
    assert fit_energy_shift(frames, ["Li", "H"]) == pytest.approx([-5.0, -5.0])


def test_absent_element_is_zero_and_unlabelled_frames_do_not_count() -> None:
    frames = [frame(2, 0, -15.0), frame(3, 0, None)]
    assert fit_energy_shift(frames, ["Li", "H"]) == pytest.approx([-7.5, 0.0])


def test_no_energies() -> None:
    with pytest.raises(DataFormatError, match="no frame has an energy"):
        fit_energy_shift([frame(1, 1, None)], ["Li", "H"])
