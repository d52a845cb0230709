"""What an epoch is judged by: running sums while it goes on, one row of numbers when it is over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pwmlff.optim.loss import QUANTITIES, ErrorSums


@dataclass(frozen=True)
class Metrics:
    """Loss and errors over some frames.

    Attributes:
        loss: Weighted sum of mean squares.
        rmse: Root mean square error of each quantity with labels: eV/atom, eV/Å, eV/atom, eV, eV.
    """

    loss: float
    rmse: dict[str, float]

    def to_row(self) -> list[float]:
        """Return loss and errors in the order of `QUANTITIES`, NaN where there are no labels."""
        return [self.loss, *(self.rmse.get(name, math.nan) for name in QUANTITIES)]

    @classmethod
    def from_row(cls, row: list[float]) -> Metrics | None:
        """Take back `to_row`; None for the row of no metrics."""
        if math.isnan(row[0]):
            return None
        return cls(row[0], {n: v for n, v in zip(QUANTITIES, row[1:], strict=True) if not math.isnan(v)})


N_METRICS = 1 + len(QUANTITIES)


@dataclass
class RunningErrors:
    """Sums over the frames seen so far in an epoch; they can be added up over processes.

    Attributes:
        sums: Errors and label counts.
        losses: [2] float64, sum of loss times frames, and frames; loss weights change from step to step.
    """

    sums: ErrorSums
    losses: Tensor

    @classmethod
    def zero(cls, device: torch.device | str = "cpu") -> RunningErrors:
        """Return the sums over no frame."""
        return cls(ErrorSums.zero(device), torch.zeros(2, dtype=torch.float64, device=device))

    def add(self, sums: ErrorSums, loss: Tensor, n_frames: int) -> None:
        """Take in one batch and the loss it had with the weights of its step."""
        loss = loss.detach()
        self.sums = self.sums + sums
        self.losses = self.losses + torch.stack([loss * n_frames, torch.full_like(loss, n_frames)])

    def metrics(self) -> Metrics:
        """Turn the sums into means."""
        total, n_frames = self.losses.tolist()
        return Metrics(total / n_frames, self.sums.rmse())


@dataclass(frozen=True)
class EpochResult:
    """One finished epoch.

    Attributes:
        epoch: Its number, from 1.
        n_steps: Optimizer steps since the start of the run.
        learning_rate: Rate after the epoch; None for optimizers without one.
        seconds: Time it took, validation included.
        train: Metrics over its batches, each before its step.
        valid: Metrics over the validation frames at its end.
        is_best: Whether no earlier epoch was as good.
    """

    epoch: int
    n_steps: int
    learning_rate: float | None
    seconds: float
    train: Metrics
    valid: Metrics | None
    is_best: bool

    def to_row(self) -> list[float]:
        """Return all numbers in a fixed order, NaN for what is absent."""
        rate = math.nan if self.learning_rate is None else self.learning_rate
        valid = [math.nan] * N_METRICS if self.valid is None else self.valid.to_row()
        return [self.epoch, self.n_steps, rate, self.seconds, float(self.is_best), *self.train.to_row(), *valid]

    @classmethod
    def from_row(cls, row: list[float]) -> EpochResult:
        """Take back `to_row`."""
        train, valid = Metrics.from_row(row[5 : 5 + N_METRICS]), Metrics.from_row(row[5 + N_METRICS :])
        assert train is not None
        rate = None if math.isnan(row[2]) else row[2]
        return cls(int(row[0]), int(row[1]), rate, row[3], train, valid, bool(row[4]))
