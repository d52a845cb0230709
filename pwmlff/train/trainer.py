"""The training loop of every model with every optimizer.

It deals out batches, asks the update strategy for steps, validates, saves and restores. It knows neither a model nor
a gradient. A run that is killed and restored goes on exactly as if nothing had happened: all that the next step
depends on is in the checkpoint (weights, optimizer, average, random numbers, position in the epoch, sums so far).

With several processes each runs this loop on its share of every batch and of the validation frames. After a step the
error sums are added up, together with the wish to stop, so that all processes know the same and decide the same; the
first one writes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pwmlff import distributed
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.errors import TrainingError
from pwmlff.models.derivatives import predict
from pwmlff.models.files import ModelFile
from pwmlff.models.files.checkpoint import save_checkpoint
from pwmlff.models.potential import Potential
from pwmlff.optim.base import NonFiniteError, RunLostError, UpdateStrategy
from pwmlff.optim.loss import ErrorSums, sum_errors
from pwmlff.train.diagnosis import describe_bad_frames
from pwmlff.train.final_weights import FinalWeights
from pwmlff.train.metrics import EpochResult, Metrics, RunningErrors
from pwmlff.train.observers import Observers, StepReport
from pwmlff.train.prefetch import load_batches
from pwmlff.train.sampler import BatchSampler
from pwmlff.train.score import score
from pwmlff.train.signals import StopRequest, TrainingStopped

# A checkpoint that took longer than this, s, is not written after every epoch (P of a Kalman filter has gigabytes), but
# when so many times as long has passed since.
_LONG_SAVE = 0.5
_SAVE_PAUSE = 20.0


class StagePlace(NamedTuple):
    """Where in its run a stage begins.

    Attributes:
        stage: Its number, from 0.
        first_epoch: Of the stage; epochs count over all stages.
        n_steps: Optimizer steps of the stages before.
    """

    stage: int = 0
    first_epoch: int = 1
    n_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """How a run, or a stage of it, goes, apart from model, data and optimizer.

    Attributes:
        last: Checkpoint file of the present state, for resuming.
        best: Model file of the best epoch.
        snapshots: Folder for models the optimizer wants kept.
        place: Where in a run of several stages this one begins.
        n_epochs: Epoch after which it is over.
        early_stop: Epochs in a row without a better one that end it earlier; None for never.
        ranked_by: Quantities that count when epochs are ranked.
        config: Resolved configuration, stored in every checkpoint.
        data: What the training frames were, stored likewise; JSON values.
        print_freq: Steps between reports to the observers.
        save_step: Steps between checkpoints within an epoch; None for one per epoch.
        ema_decay: Decay of the weight average; None or 0 for none.
        in_background: Prepare batches in a thread.
        device: Where the model runs.
    """

    last: Path
    best: Path
    snapshots: Path
    place: StagePlace = StagePlace()
    n_epochs: int
    early_stop: int | None = None
    ranked_by: Sequence[str]
    config: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)
    print_freq: int = 10
    save_step: int | None = None
    ema_decay: float | None = None
    in_background: bool = True
    device: torch.device = torch.device("cpu")


class Trainer:
    """Trains one potential; see the module docstring."""

    def __init__(
        self,
        potential: Potential,
        update: UpdateStrategy,
        train_data: FrameDataset,
        valid_data: FrameDataset | None,
        sampler: BatchSampler,
        settings: TrainerSettings,
        observers: Observers | None = None,
    ) -> None:
        """Start before the first step of the first epoch.

        Args:
            potential: Already on the settings' device, with its statistics and energy shift.
            update: Changes `potential`.
            train_data: Frames to learn from.
            valid_data: Frames that rank the epochs; None ranks them by the training frames.
            sampler: Deals `train_data` into batches.
            settings: Files, length and devices.
            observers: Told of progress; those that write or print belong in the first process only.
        """
        self.potential = potential
        self.update = update
        self.train_data = train_data
        self.valid_data = valid_data
        self.sampler = sampler
        self.settings = settings
        self.observers = observers or Observers()
        self.final_weights = FinalWeights(
            potential, settings.ema_decay, train_data, sampler.batch_size, settings.device
        )
        self._saved_at, self._save_seconds = -math.inf, 0.0
        self.epoch = settings.place.first_epoch
        self.batch = 0  # batches done in this epoch
        self.history: list[EpochResult] = []
        self.running = RunningErrors.zero(settings.device)
        self._seconds_before = 0.0  # spent in this epoch before the run was interrupted
        self._epoch_started = 0.0
        self._stop = StopRequest()
        self._stop_agreed = False
        self.check_folder: Callable[[], None] = nothing_to_check  # before a file is written; raises a TrainingError

    def fit(self) -> None:
        """Train to the last epoch, or until no epoch has been better for `early_stop` epochs.

        Raises:
            TrainingStopped: A signal came; the state is saved.
            TrainingError: The loss is not finite, or the folder of the run is gone.
            ModelFileError: A checkpoint cannot be written.
        """
        with StopRequest() as self._stop:
            self.observers.begin(self.history)
            try:
                while not self.is_over:
                    self.run_epoch()
            finally:
                self.observers.end()

    @property
    def best(self) -> EpochResult | None:
        """The best epoch so far; None before the first."""
        return next((result for result in reversed(self.history) if result.is_best), None)

    @property
    def is_stopped_early(self) -> bool:
        """Whether so many epochs of this stage have not been better that it is over."""
        patience, best = self.settings.early_stop, self.best
        if patience is None or best is None:
            return False
        return self.epoch - max(best.epoch + 1, self.settings.place.first_epoch) >= patience

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.epoch > self.settings.n_epochs or self.is_stopped_early

    @property
    def n_steps(self) -> int:
        """Optimizer steps since the start of the run."""
        return self.settings.place.n_steps + self.update.n_steps

    def run_epoch(self) -> EpochResult:
        """Do what is left of the present epoch, validate and save."""
        self._epoch_started = time.perf_counter()
        remaining = self.sampler.shares(self.epoch, self.batch)
        batches = load_batches(self.train_data, remaining, in_background=self.settings.in_background)
        for indices, batch in batches:
            self._do_step(indices, batch.to(self.settings.device))
            self._after_step()
        train, valid = self._judge()
        result = EpochResult(
            epoch=self.epoch,
            n_steps=self.n_steps,
            learning_rate=self.update.learning_rate,
            seconds=self._seconds_in_epoch(),
            train=train,
            valid=valid,
            is_best=self._is_better(train if valid is None else valid),
        )
        self.history.append(result)
        self.epoch, self.batch, self._seconds_before = self.epoch + 1, 0, 0.0
        self._epoch_started = time.perf_counter()
        self.running = RunningErrors.zero(self.settings.device)
        if result.is_best:
            self._save_model(self.settings.best)
        if distributed.from_first(self._is_save_due):
            self.save()
        self.observers.on_epoch(result)
        return result

    def evaluate(self, data: FrameDataset) -> ErrorSums:
        """Sum the errors over a data set, with the averaged weights if there are any."""
        weights = self.update.weights
        total = ErrorSums.zero(self.settings.device)
        frames = np.arange(distributed.rank(), len(data), distributed.size())
        n_at_once = -(-self.sampler.batch_size // distributed.size())
        order = (frames[first : first + n_at_once] for first in range(0, len(frames), n_at_once))
        with self._final_weights():
            for _, batch in load_batches(data, order, in_background=self.settings.in_background):
                placed = batch.to(self.settings.device)
                prediction = predict(self.potential, placed, **weights.predicted)
                total = total + sum_errors(prediction, placed).detached()
                if self._stop.requested:
                    break
            total, _ = self._over_processes(total, len(frames))
            if not torch.isfinite(total.values).all():
                raise TrainingError(describe_bad_frames(self.potential, data, frames, weights, self.settings.device))
        self._stop_if_asked()
        return total

    def save(self) -> None:
        """Write the checkpoint from which this state can be restored.

        The model in it is the one to use (averaged, if weights are averaged); the trained weights stand beside it.
        """
        started = time.perf_counter()
        optimizer_tensors, optimizer_state = self.update.state()
        if not distributed.is_first():
            return
        self.check_folder()
        tensors = {f"optimizer/{name}": value for name, value in optimizer_tensors.items()}
        state: dict[str, Any] = {
            "epoch": self.epoch,
            "batch": self.batch,
            "seconds": self._seconds_in_epoch(),
            "place": self.settings.place._asdict(),
            "optimizer": optimizer_state,
            "data": self.settings.data,
        }
        trained, average = self.final_weights.state()
        if average:
            state["average"] = average
            tensors |= {f"trained/{name}": value for name, value in trained.items()}
        tensors["running/sums"], tensors["running/losses"] = self.running.sums.values, self.running.losses
        if self.history:
            tensors["history"] = torch.tensor([result.to_row() for result in self.history], dtype=torch.float64)
        tensors |= _random_state(self.settings.device)
        with self._final_weights():
            save_checkpoint(
                self.settings.last, self.potential, config=self.settings.config, tensors=tensors, state=state
            )
        self._saved_at = time.perf_counter()
        self._save_seconds = self._saved_at - started

    def restore(self, checkpoint: ModelFile) -> None:
        """Go back to the state in which a checkpoint was saved."""
        tensors, state = checkpoint.tensors, checkpoint.state
        self.potential.load_state_dict(checkpoint.potential.state_dict())
        self.update.load_state(_below("optimizer/", tensors), state["optimizer"])
        self.final_weights.load_state(_below("trained/", tensors), state.get("average", {}))
        device = self.settings.device
        self.running = RunningErrors(
            ErrorSums.restored(tensors["running/sums"].to(device)), tensors["running/losses"].to(device)
        )
        self.history = history_of(checkpoint)
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._seconds_before = state["seconds"]
        _restore_random_state(tensors, device)

    @torch.no_grad()
    def settle(self) -> None:
        """Give the potential the weights that are tested and kept, for good: this trainer does nothing more."""
        with self._final_weights():
            kept = {name: tensor.clone() for name, tensor in self.potential.state_dict().items()}
        self.potential.load_state_dict(kept)

    def _do_step(self, indices: NDArray[np.int64], batch: Batch) -> None:
        weights = self.update.weights
        try:
            sums = self.update.step(batch)
        except NonFiniteError as error:
            message = describe_bad_frames(self.potential, self.train_data, indices, weights, self.settings.device)
            raise TrainingError(f"step {self.n_steps + 1}: {message}") from error
        except RunLostError as error:
            best = f"; the best model so far is {self.settings.best}" if self.settings.best.exists() else ""
            raise TrainingError(f"{error}{best}") from error
        sums, n_frames = self._over_processes(sums, batch.n_frames)
        self.running.add(sums, sums.loss(weights), n_frames)
        self.final_weights.update(anew=self.update.went_back)
        self.batch += 1

    def _after_step(self) -> None:
        settings, n_batches = self.settings, len(self.sampler)
        if self.observers and (self.batch % settings.print_freq == 0 or self.batch == n_batches):
            report = StepReport(
                self.epoch,
                settings.n_epochs,
                self.batch,
                n_batches,
                self.n_steps,
                self.running.metrics(),
                self.update.learning_rate,
            )
            self.observers.on_step(report)
        if self.update.wants_snapshot:
            self._save_model(settings.snapshots / f"epoch_{self.epoch}_step_{self.n_steps}.ckpt")
        self._stop_if_asked()
        if settings.save_step and self.update.n_steps % settings.save_step == 0 and self.batch < n_batches:
            self.save()

    def _is_save_due(self) -> bool:
        """Whether the epoch just done ends with a checkpoint; the last one does."""
        if self.is_over or self._save_seconds < _LONG_SAVE:
            return True
        return time.perf_counter() - self._saved_at > _SAVE_PAUSE * self._save_seconds

    def _judge(self) -> tuple[Metrics, Metrics | None]:
        """Return the metrics of the epoch on training and validation frames."""
        train = self.running.metrics()
        if self.valid_data is None:
            return train, None
        sums = self.evaluate(self.valid_data)
        return train, Metrics(float(sums.loss(self.update.weights)), sums.rmse())

    def _is_better(self, metrics: Metrics) -> bool:
        """Whether these errors, of the frames that rank epochs, are less than those of all epochs before."""
        best = self.best
        if best is None:
            return True
        before = best.train if best.valid is None else best.valid
        ranked_by = self.settings.ranked_by
        return score(metrics.rmse, ranked_by) < score(before.rmse, ranked_by)

    def _over_processes(self, sums: ErrorSums, n_frames: int) -> tuple[ErrorSums, int]:
        """Add up errors and frames of all processes, and learn whether any of them was asked to stop."""
        if distributed.size() == 1:
            return sums, n_frames
        flags = sums.values.new_tensor([n_frames, self._stop.requested])
        total = distributed.sum_(torch.cat([sums.values.flatten(), flags]))
        n_frames, n_stops = (int(number) for number in total[-2:].tolist())
        self._stop_agreed = n_stops > 0
        return ErrorSums(total[:-2].view_as(sums.values)), n_frames

    def _stop_if_asked(self) -> None:
        # a signal reaches processes at different times: they end after the same step
        if self._stop_agreed if distributed.size() > 1 else self._stop.requested:
            self.save()
            raise TrainingStopped(f"stopped in epoch {self.epoch} after step {self.n_steps}")

    def _save_model(self, path: Path) -> None:
        if not distributed.is_first():
            return
        self.check_folder()
        with self._final_weights():
            save_checkpoint(path, self.potential, config=self.settings.config, state={"data": self.settings.data})

    @contextmanager
    def _final_weights(self) -> Iterator[None]:
        """Give the potential the weights that are tested and kept, for the length of a `with` block."""
        with self.update.settled(), self.final_weights.applied(shifted=self.update.weights.energy > 0):
            yield

    def _seconds_in_epoch(self) -> float:
        return self._seconds_before + time.perf_counter() - self._epoch_started


def history_of(checkpoint: ModelFile) -> list[EpochResult]:
    """Return the epochs of the run that a checkpoint is the state of."""
    rows = checkpoint.tensors["history"].tolist() if "history" in checkpoint.tensors else []
    return [EpochResult.from_row(row) for row in rows]


def place_of(checkpoint: ModelFile) -> StagePlace:
    """Return the place of the stage that a checkpoint is the state of."""
    return StagePlace(**checkpoint.state.get("place", {}))


def nothing_to_check() -> None:
    """Let everything be written."""


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _random_state(device: torch.device) -> dict[str, Tensor]:
    states = {"random/cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random/cuda"] = torch.cuda.get_rng_state(device)
    return states


def _restore_random_state(tensors: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(tensors["random/cpu"])
    if device.type == "cuda" and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], device)
