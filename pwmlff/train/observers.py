"""What the trainer tells those who watch it; files, progress bars and TensorBoard are watchers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pwmlff.train.metrics import EpochResult, Metrics


@dataclass(frozen=True)
class StepReport:
    """Where a run is, every `print_freq` steps.

    Attributes:
        epoch: Current epoch, from 1.
        n_epochs: Last epoch of the run, or of its present stage.
        batch: Batches done in the epoch.
        n_batches: Batches of an epoch.
        n_steps: Optimizer steps since the start of the run.
        metrics: Over the epoch so far.
        learning_rate: Of the next step; None for optimizers without one.
    """

    epoch: int
    n_epochs: int
    batch: int
    n_batches: int
    n_steps: int
    metrics: Metrics
    learning_rate: float | None


class TrainingObserver:
    """Base of all watchers; they change nothing about the run.

    Attributes:
        record: What it writes, for messages.
    """

    record = "a record of the run"

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Training, or the next stage of it, starts or goes on after the epochs given."""

    def on_step(self, report: StepReport) -> None:
        """Some steps are done."""

    def on_epoch(self, result: EpochResult) -> None:
        """An epoch is done and its checkpoint is written."""

    def end(self) -> None:
        """Training, or a stage of it, is over, whatever the reason."""


class Observers(TrainingObserver):
    """Several watchers as one; a record that cannot be written is told once, and training goes on."""

    def __init__(self, observers: Sequence[TrainingObserver] = (), say: Callable[[str], None] = print) -> None:
        """Gather watchers; `say` takes a line for the user."""
        self._observers = list(observers)
        self._say = say
        self._failed: set[int] = set()

    def __bool__(self) -> bool:
        """Whether anyone watches."""
        return bool(self._observers)

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.begin(history))

    def on_step(self, report: StepReport) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.on_step(report))

    def on_epoch(self, result: EpochResult) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.on_epoch(result))

    def end(self) -> None:
        """Tell all."""
        self._tell(lambda observer: observer.end())

    def _tell(self, event: Callable[[TrainingObserver], None]) -> None:
        for number, observer in enumerate(self._observers):
            try:
                event(observer)
            except BrokenPipeError:  # nobody reads our output any more
                raise
            except OSError as error:
                if number not in self._failed:
                    self._failed.add(number)
                    with suppress(OSError):  # the output may be the file that is full
                        self._say(
                            f"warning: cannot write {observer.record}: {error.strerror or error}; training goes on"
                        )
