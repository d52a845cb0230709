"""What the user sees while a run goes on: a bar with the time left, and the epoch table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pwmlff import keys
from pwmlff.train.metrics import EpochResult, Metrics
from pwmlff.train.observers import StepReport, TrainingObserver

_SHOWN = {  # heading, factor from the internal unit
    keys.ENERGY: ("E meV/atom", 1e3),
    keys.FORCES: ("F eV/Å", 1.0),
    keys.VIRIAL: ("V meV/atom", 1e3),
    keys.ATOMIC_ENERGIES: ("Ei meV", 1e3),
    keys.GROUP_ENERGIES: ("Egroup meV", 1e3),
}
_WIDTH = 19
_LINE_INTERVAL = 30.0  # s between progress lines where there is no terminal


class ProgressDisplay(TrainingObserver):
    """A bar in a terminal, plain lines elsewhere, and a table row per epoch in both."""

    record = "the progress of the run"

    def __init__(self, console: Console, quantities: Sequence[str], n_epochs: int, n_batches: int) -> None:
        """Describe the run.

        Args:
            console: Where to print.
            quantities: Those that are trained, one column each.
            n_epochs: Epochs of the run.
            n_batches: Steps per epoch.
        """
        self._console = console
        self._quantities = [name for name in _SHOWN if name in quantities]
        self._total = n_epochs * n_batches
        self._n_batches = n_batches
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._last_line = time.monotonic()

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Print the heading and start the bar."""
        names = ["loss", *(_SHOWN[name][0] for name in self._quantities)]
        self._print(f"{'RMSE train | valid':>{6 + 2 * _WIDTH}}")
        self._print("epoch ".rjust(6) + "".join(name.center(_WIDTH) for name in names) + "        lr   time s")
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("training", total=self._total, completed=len(history) * self._n_batches)
            self._bar.start()

    def on_step(self, report: StepReport) -> None:
        """Move the bar, or print a line now and then."""
        errors = " ".join(
            f"{_SHOWN[name][0].split()[0]} {report.metrics.rmse[name] * _SHOWN[name][1]:.4g}"
            for name in self._quantities
            if name in report.metrics.rmse
        )
        text = f"epoch {report.epoch}/{report.n_epochs} {errors}"
        completed = (report.epoch - 1) * report.n_batches + report.batch
        if self._bar is not None:
            self._bar.update(self._task, completed=completed, description=text)
        elif time.monotonic() - self._last_line > _LINE_INTERVAL:
            self._print(f"{text} step {report.batch}/{report.n_batches}")
            self._last_line = time.monotonic()

    def on_epoch(self, result: EpochResult) -> None:
        """Print the row of an epoch; a star marks the best so far."""
        rate = "-" if result.learning_rate is None else f"{result.learning_rate:.2e}"
        cells = [_pair(result.train.loss, None if result.valid is None else result.valid.loss)]
        for name in self._quantities:
            factor = _SHOWN[name][1]
            cells.append(_pair(_scaled(result.train, name, factor), _scaled(result.valid, name, factor)))
        best = " *" if result.is_best else ""
        row = f"{result.epoch:5d} " + "".join(cell.center(_WIDTH) for cell in cells)
        self._print(f"{row}{rate:>10}{result.seconds:9.1f}{best}")
        self._last_line = time.monotonic()

    def end(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def _scaled(metrics: Metrics | None, name: str, factor: float) -> float | None:
    return None if metrics is None or name not in metrics.rmse else metrics.rmse[name] * factor


def _pair(train: float | None, valid: float | None) -> str:
    return " | ".join("-" if value is None else f"{value:.4g}" for value in (train, valid))
