"""The learning curve of a run: loss and errors over epochs, for training and validation frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pwmlff import keys
from pwmlff.plots.style import COLORS, plot_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pwmlff.train.metrics import EpochResult, Metrics

_LABELS = {
    keys.ENERGY: "energy RMSE (eV/atom)",
    keys.FORCES: "force RMSE (eV/Å)",
    keys.VIRIAL: "virial RMSE (eV/atom)",
    keys.ATOMIC_ENERGIES: "atomic energy RMSE (eV)",
    keys.GROUP_ENERGIES: "group energy RMSE (eV)",
}
_PANEL = (4.2, 3.4)  # inches


def plot_learning_curve(history: Sequence[EpochResult], path: Path, quantities: Sequence[str]) -> None:
    """Draw one panel for the loss and one for each quantity, with logarithmic errors.

    Args:
        history: Finished epochs.
        path: PNG to write.
        quantities: Those that are trained.

    Raises:
        PwmlffError: matplotlib is not installed.
    """
    with plot_style():
        from matplotlib.figure import Figure

        shown = [name for name in _LABELS if name in quantities]
        n_panels = 1 + len(shown)
        figure = Figure(figsize=(_PANEL[0] * n_panels, _PANEL[1]), layout="constrained")
        axes = figure.subplots(1, n_panels, squeeze=False)[0]
        _draw(axes[0], history, None)
        axes[0].set_ylabel("loss")
        for panel, name in zip(axes[1:], shown, strict=True):
            _draw(panel, history, name)
            panel.set_ylabel(_LABELS[name])
        axes[0].legend()
        save_figure(figure, path)


def _draw(axes: Axes, history: Sequence[EpochResult], quantity: str | None) -> None:
    """Draw the loss (None) or the error of one quantity."""
    epochs = [result.epoch for result in history]
    marker = "o" if len(epochs) < 3 else None
    axes.plot(epochs, [_value(r.train, quantity) for r in history], color=COLORS[0], marker=marker, label="train")
    if any(result.valid is not None for result in history):
        values = [_value(result.valid, quantity) for result in history]
        axes.plot(epochs, values, color=COLORS[1], marker=marker, label="valid")
    best = max((result.epoch for result in history if result.is_best), default=None)
    if best is not None:
        axes.axvline(best, color=COLORS[5], linestyle=":", linewidth=1.0, label=f"best: epoch {best}")
    axes.set_yscale("log")
    axes.set_xlabel("epoch")


def _value(metrics: Metrics | None, quantity: str | None) -> float:
    if metrics is None:
        return float("nan")
    return metrics.loss if quantity is None else metrics.rmse.get(quantity, float("nan"))
