"""What the trainer tells those who watch it; files, progress bars and TensorBoard are watchers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pwmlff.train.metrics import EpochResult, Metrics


@dataclass(frozen=True)
class StepReport:
    """Where a run is, every `print_freq` steps.

    Attributes:
        epoch: Current epoch, from 1.
        n_epochs: Epochs of the run.
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
    """Base of all watchers; they change nothing about the run."""

    def begin(self, history: Sequence[EpochResult]) -> None:
        """Training starts, or goes on after the epochs given."""

    def on_step(self, report: StepReport) -> None:
        """Some steps are done."""

    def on_epoch(self, result: EpochResult) -> None:
        """An epoch is done and its checkpoint is written."""

    def end(self) -> None:
        """Training is over, whatever the reason."""
