"""The learning curve fits a page, and its axes have plain numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from pwmlff.plots import learning_curve
from pwmlff.plots.learning_curve import Panel, plot_learning_curve

EPOCHS = range(1, 61)


def drawn(values: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(learning_curve, "save_figure", lambda figure, path: figures.append(figure))
    panels = [Panel(f"panel {k}", list(curve), list(curve / 2)) for k, curve in enumerate(values)]
    plot_learning_curve(EPOCHS, panels, Path("unused.png"), best=60)
    figures[0].draw_without_rendering()
    return figures[0]


@pytest.mark.parametrize("n_panels", [1, 2, 3, 4, 6])
def test_fits_a_page(n_panels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = drawn([np.linspace(1.0, 0.1, 60)] * n_panels, monkeypatch)
    width, height = figure.get_size_inches()
    assert len(figure.axes) == n_panels
    assert width < 8.3
    assert height < 11.7  # inches, A4


@pytest.mark.parametrize("lowest", [1e-5, 1e-3, 0.06, 0.5, 0.97])
def test_ticks_are_plain_numbers(lowest: float, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = drawn([np.geomspace(1.0, lowest, 60)], monkeypatch).axes[0]
    low, high = axes.get_ylim()
    shown = [
        text.get_text()
        for text, place in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)
        if low <= place <= high
    ]
    assert 2 <= len(shown) <= 9
    assert all(float(text) > 0.0 for text in shown)
    assert axes.yaxis.get_minorticklocs().size == 0
