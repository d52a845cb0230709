"""The learning curve of a run: panels of a number over epochs, for training and validation frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pwmlff.plots.style import COLORS, plot_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL = (4.2, 3.4)  # inches


@dataclass(frozen=True)
class Panel:
    """One number over epochs, on a logarithmic axis.

    Attributes:
        label: Of the axis, with the unit.
        train: Value of each epoch on the training frames, NaN where there is none.
        valid: Likewise on the validation frames; None for a run without them.
    """

    label: str
    train: Sequence[float]
    valid: Sequence[float] | None


def plot_learning_curve(epochs: Sequence[int], panels: Sequence[Panel], path: Path, best: int | None = None) -> None:
    """Draw panels side by side.

    Args:
        epochs: Numbers of the finished epochs.
        panels: From left to right, at least one.
        path: PNG to write.
        best: Epoch to mark.

    Raises:
        PwmlffError: matplotlib is not installed.
    """
    with plot_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_PANEL[0] * len(panels), _PANEL[1]), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for place, panel in zip(axes, panels, strict=True):
            _draw(place, epochs, panel, best)
        axes[0].legend()
        save_figure(figure, path)


def _draw(axes: Axes, epochs: Sequence[int], panel: Panel, best: int | None) -> None:
    marker = "o" if len(epochs) < 3 else None
    axes.plot(epochs, panel.train, color=COLORS[0], marker=marker, label="train")
    if panel.valid is not None:
        axes.plot(epochs, panel.valid, color=COLORS[1], marker=marker, label="valid")
    if best is not None:
        axes.axvline(best, color=COLORS[5], linestyle=":", linewidth=1.0, label=f"best: epoch {best}")
    axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.set_ylabel(panel.label)
