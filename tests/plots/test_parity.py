"""Parity plots are PNG files of real content; thinning keeps points evenly and memory bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pwmlff import keys
from pwmlff.plots import parity
from pwmlff.plots.parity import ParityErrors, ParityPoints, draw_parity_plots


def errors_of(points: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, ParityErrors]:
    errors = dict.fromkeys(keys.LABELS, ParityErrors(0, None, None, None))
    for label, (reference, predicted) in points.items():
        error = np.abs(predicted - reference)
        errors[label] = ParityErrors(len(error), float(np.sqrt(np.mean(error**2))), float(error.mean()), 0.9)
    return errors


@pytest.mark.parametrize("n_points", [1, 30, 3000])
def test_plots_are_pictures(n_points: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(n_points)
    labels = rng.standard_normal(n_points)
    pairs = {label: (labels, labels + 0.1 * rng.standard_normal(n_points)) for label in keys.LABELS}
    points = ParityPoints()
    points.add(pairs)
    written = draw_parity_plots(points, errors_of(pairs), tmp_path)
    assert [path.name for path in written] == ["Energy.png", "Force.png", "Virial.png", "AtomicEnergy.png"]
    for path in written:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 500
            assert len(np.unique(np.asarray(picture.convert("L")))) > 10  # not a blank page


@pytest.mark.parametrize("n_points", [30, 3000])
def test_axes_have_the_same_ticks_and_density_has_a_bar(
    n_points: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(parity, "save_figure", lambda figure, path: figures.append(figure))
    labels = np.random.default_rng(1).standard_normal(n_points)
    pairs = {keys.FORCES: (labels, labels**3)}
    points = ParityPoints()
    points.add(pairs)
    draw_parity_plots(points, errors_of(pairs), tmp_path)
    figures[0].draw_without_rendering()
    upper, lower, *bars = figures[0].axes
    assert len(upper.get_xticks()) > 3
    np.testing.assert_array_equal(upper.get_xticks(), upper.get_yticks())
    assert upper.get_xlim() == upper.get_ylim()
    assert lower.get_ylim()[0] == -lower.get_ylim()[1]
    assert len(bars) == (n_points > 500)
    for bar in bars:
        assert "density" in bar.get_ylabel()
        assert bar.get_ylim()[1] == 1.0
        assert not any("10^" in text.get_text() or "mathdefault" in text.get_text() for text in bar.get_yticklabels())


def test_plot_of_an_earlier_test_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "Virial.png").write_bytes(b"old")
    pairs = {keys.FORCES: (np.arange(6.0), np.arange(6.0))}
    points = ParityPoints()
    points.add(pairs)
    assert [path.name for path in draw_parity_plots(points, errors_of(pairs), tmp_path)] == ["Force.png"]
    assert not (tmp_path / "Virial.png").exists()


def test_thinning_is_even_and_bounded() -> None:
    points = ParityPoints(limit=100)
    values = np.arange(1000.0)
    for first in range(0, 1000, 7):
        part = values[first : first + 7]
        points.add({keys.FORCES: (part, -part)})
    kept = points.of(keys.FORCES)
    assert len(kept) <= 100
    np.testing.assert_array_equal(kept[:, 0], np.arange(0.0, 1000.0, 16.0))
    np.testing.assert_array_equal(kept[:, 1], -kept[:, 0])
    assert points.fraction(keys.FORCES) == len(kept) / 1000


def test_style_does_not_leak(tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    pairs = {keys.ENERGY: (np.arange(3.0), np.arange(3.0))}
    points = ParityPoints()
    points.add(pairs)
    draw_parity_plots(points, errors_of(pairs), tmp_path)
    assert dict(mpl.rcParams) == before
