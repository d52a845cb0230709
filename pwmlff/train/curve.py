"""The observer that draws the learning curve of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from pwmlff import keys
from pwmlff.plots.learning_curve import Panel, plot_learning_curve
from pwmlff.train.metrics import EpochResult, Metrics
from pwmlff.train.observers import TrainingObserver

# label of the axis, and what it is in internal units
_AXES = {
    keys.ENERGY: ("energy RMSE (meV/atom)", 1000.0),
    keys.FORCES: ("force RMSE (eV/Å)", 1.0),
    keys.VIRIAL: ("virial RMSE (meV/atom)", 1000.0),
    keys.ATOMIC_ENERGIES: ("atomic energy RMSE (meV)", 1000.0),
    keys.GROUP_ENERGIES: ("group energy RMSE (meV)", 1000.0),
}
_INTERVAL = 60.0  # s between two drawings


class CurveFile(TrainingObserver):
    """Draws `learning_curve.png` now and then and at the end: the error of each quantity trained, and the loss."""

    record = "learning_curve.png"

    def __init__(self, path: Path, quantities: Sequence[str]) -> None:
        """Choose the file and the quantities shown."""
        self._path = path
        self._quantities = [name for name in _AXES if name in quantities]
        self._history: list[EpochResult] = []
        self._drawn = time.monotonic()

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Take the epochs done before."""
        self._history = list(history)

    def on_epoch(self, result: EpochResult) -> None:
        """Draw, unless it was done a moment ago."""
        self._history.append(result)
        if time.monotonic() - self._drawn > _INTERVAL:
            self._draw()

    def end(self) -> None:
        """Draw the last state."""
        self._draw()

    def _draw(self) -> None:
        if self._history and self._path.parent.is_dir():  # a run whose folder is gone makes no new one
            panels = [*(self._panel(*_AXES[name], name) for name in self._quantities), self._panel("loss", 1.0, None)]
            best = max((result.epoch for result in self._history if result.is_best), default=None)
            self._drawn = time.monotonic()
            plot_learning_curve([result.epoch for result in self._history], panels, self._path, best)

    def _panel(self, label: str, factor: float, quantity: str | None) -> Panel:
        """Return the panel of the loss (None) or of the error of a quantity."""
        train = [factor * _value(result.train, quantity) for result in self._history]
        is_validated = any(result.valid is not None for result in self._history)
        valid = [factor * _value(result.valid, quantity) for result in self._history] if is_validated else None
        return Panel(label, train, valid)


def _value(metrics: Metrics | None, quantity: str | None) -> float:
    if metrics is None:
        return math.nan
    return metrics.loss if quantity is None else metrics.rmse.get(quantity, math.nan)
