"""What the user sees while a run goes on: a bar with the time left, and the epoch table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pwmlff import keys
from pwmlff.errors import printable
from pwmlff.train.metrics import EpochResult
from pwmlff.train.observers import StepReport, TrainingObserver

SHOWN = {  # name, unit, factor from the internal unit
    keys.ENERGY: ("energy", "meV/atom", 1e3),
    keys.FORCES: ("forces", "eV/Å", 1.0),
    keys.VIRIAL: ("virial", "meV/atom", 1e3),
    keys.ATOMIC_ENERGIES: ("atomic", "meV", 1e3),
    keys.GROUP_ENERGIES: ("group", "meV", 1e3),
}
_WIDTH = 18  # with up to three quantities a row fits into 80 columns
_LINE_INTERVAL = 30.0  # s between progress lines where there is no terminal


class ProgressDisplay(TrainingObserver):
    """A bar in a terminal, plain lines elsewhere, and a table row per epoch in both."""

    record = "the progress of the run"

    def __init__(
        self,
        console: Console,
        quantities: Sequence[str],
        n_epochs: int,
        n_batches: int,
        *,
        first_epoch: int = 1,
        has_rate: bool = True,
        is_validated: bool = True,
    ) -> None:
        """Describe the run, or a stage of it.

        Args:
            console: Where to print.
            quantities: Those that are trained, one column each.
            n_epochs: Its last epoch.
            n_batches: Steps per epoch.
            first_epoch: Of the stage.
            has_rate: Whether the optimizer has a learning rate.
            is_validated: Whether there are validation frames.
        """
        self._console = console
        self._quantities = [name for name in SHOWN if name in quantities]
        self._n_before = first_epoch - 1
        self._n_epochs = n_epochs - self._n_before
        self._n_batches = n_batches
        self._has_rate = has_rate
        self._is_validated = is_validated
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._last_line = time.monotonic()

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Print the heading and start the bar."""
        frames = "training | validation frames" if self._is_validated else "the training frames"
        self._print(f"root mean square errors of {frames}; *: best epoch so far")
        heading = "".join(f"{name} {unit}".center(_WIDTH) for _, (name, unit, _) in self._shown())
        self._print(f"epoch {heading}{'lr'.center(10) if self._has_rate else ''}  time s")
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TextColumn("steps, left"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            total, completed = (n * self._n_batches for n in (self._n_epochs, len(history) - self._n_before))
            self._task = self._bar.add_task("training", total=total, completed=completed)
            self._bar.start()

    def on_step(self, report: StepReport) -> None:
        """Move the bar, or print a line now and then."""
        errors = ", ".join(
            f"{report.metrics.rmse[name] * factor:.4g} {unit}"
            for name, (_, unit, factor) in self._shown()
            if name in report.metrics.rmse
        )
        text = f"epoch {report.epoch}/{report.n_epochs}"
        completed = (report.epoch - 1 - self._n_before) * report.n_batches + report.batch
        if self._bar is not None:
            self._bar.update(self._task, completed=completed, description=text)
        elif time.monotonic() - self._last_line > _LINE_INTERVAL:
            self._print(f"{text}, step {report.batch}/{report.n_batches}: {errors}")
            self._last_line = time.monotonic()

    def on_epoch(self, result: EpochResult) -> None:
        """Print the row of an epoch; a star marks the best so far."""
        cells = "".join(self._cell(result, name, factor).center(_WIDTH) for name, (_, _, factor) in self._shown())
        rate = "" if result.learning_rate is None else f"{result.learning_rate:10.2e}"
        self._print(f"{result.epoch:5d} {cells}{rate}{result.seconds:8.1f}{' *' if result.is_best else ''}")
        self._last_line = time.monotonic()

    def end(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _shown(self) -> list[tuple[str, tuple[str, str, float]]]:
        return [(name, SHOWN[name]) for name in self._quantities]

    def _cell(self, result: EpochResult, name: str, factor: float) -> str:
        metrics = (result.train, result.valid) if self._is_validated else (result.train,)
        errors = (None if each is None else each.rmse.get(name) for each in metrics)
        first, *others = ("-" if error is None else _short(factor * error) for error in errors)
        return f"{first:>7} | {others[0]:<7}" if others else first


def say(console: Console, *lines: str) -> None:
    """Print lines as they are, without what could move the cursor."""
    for line in lines:
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def _short(error: float) -> str:
    return f"{error:.3g}" if error < 1000.0 else f"{error:.0f}"
