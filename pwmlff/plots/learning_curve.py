"""The learning curve of a run: panels of a number over epochs, for training and validation frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pwmlff.plots.style import COLORS, label_in_plain_numbers, plot_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL = (3.7, 2.6)  # inches; two in a row fit a page
_COLUMNS = 2


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
    """Draw panels, two in a row.

    Args:
        epochs: Numbers of the finished epochs.
        panels: Row by row, at least one.
        path: PNG to write.
        best: Epoch to mark.

    Raises:
        PwmlffError: matplotlib is not installed.
    """
    with plot_style():
        from matplotlib.figure import Figure

        columns = min(_COLUMNS, len(panels))
        rows = -(-len(panels) // columns)
        figure = Figure(figsize=(_PANEL[0] * columns, _PANEL[1] * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place, panel in zip(axes, panels, strict=False):
            _draw(place, epochs, panel, best)
        for place in axes[len(panels) :]:
            place.remove()
        axes[0].legend()
        save_figure(figure, path)


def _draw(axes: Axes, epochs: Sequence[int], panel: Panel, best: int | None) -> None:
    from matplotlib.ticker import MaxNLocator

    marker = "o" if len(epochs) < 3 else None
    axes.plot(epochs, panel.train, color=COLORS[0], marker=marker, label="train")
    if panel.valid is not None:
        axes.plot(epochs, panel.valid, color=COLORS[1], marker=marker, label="valid")
    if best is not None:
        axes.axvline(best, color=COLORS[5], linestyle=":", linewidth=1.0, label=f"best: epoch {best}")
    axes.set_yscale("log")
    label_in_plain_numbers(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel(panel.label)
