"""The stages of a run: one optimizer after another on the same model and frames.

A stage begins with the model that the one before has left: its last weights, or their average where one is kept.
Epochs, steps, tables and the best model count over all stages, and the checkpoint of the run says which one it is in.
A run with a single optimizer is a run of one stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from pwmlff import distributed
from pwmlff.config import RunConfig
from pwmlff.data.dataset import FrameDataset
from pwmlff.models import Potential
from pwmlff.models.files import ModelFile
from pwmlff.optim import OPTIMIZERS
from pwmlff.train.advice import Advice
from pwmlff.train.data import FrameCounts
from pwmlff.train.metrics import EpochResult
from pwmlff.train.observers import Observers, TrainingObserver
from pwmlff.train.progress import ProgressDisplay, say
from pwmlff.train.records import EpochTables, RunFiles, optional_records, own_records
from pwmlff.train.sampler import BatchSampler
from pwmlff.train.trainer import StagePlace, Trainer, TrainerSettings, nothing_to_check, place_of


@dataclass(kw_only=True)
class StagedRun:
    """Trains one stage after another.

    Attributes:
        config: The run file.
        potential: Trained in place, on `device`.
        train_data: Frames to learn from.
        valid_data: Frames that rank the epochs; None ranks them by the training frames.
        counts: Of the training frames.
        weights: [F] how often each is drawn in an epoch; None where all are drawn once.
        files: Of the run.
        device: Where the model runs.
        console: Where to print.
        callbacks: Further watchers, in the first process.
        check_folder: Raises where the run's folder is no longer its own.
        checkpoint: To go on from; None begins with the first stage.
        trainer: Of the present stage.
    """

    config: RunConfig
    potential: Potential
    train_data: FrameDataset
    valid_data: FrameDataset | None
    counts: FrameCounts
    weights: NDArray[np.float64] | None
    files: RunFiles
    device: torch.device
    console: Console
    callbacks: Sequence[TrainingObserver] = ()
    check_folder: Callable[[], None] = nothing_to_check
    checkpoint: ModelFile | None = None
    trainer: Trainer = field(init=False)
    _advice: Advice = field(init=False)

    def __post_init__(self) -> None:
        """Make the trainer of the stage to begin or to go on with."""
        self._begin(StagePlace() if self.checkpoint is None else place_of(self.checkpoint), [])
        if self.checkpoint is not None:
            self.trainer.restore(self.checkpoint)
            self.checkpoint = None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do in any stage."""
        return self._is_last and self.trainer.is_over

    @property
    def advice(self) -> str | None:
        """What is to be said of the last stage when all epochs are done."""
        return self._advice.at_the_end()

    def fit(self) -> None:
        """Train to the end of the last stage.

        Raises:
            TrainingStopped: A signal came; the state is saved.
            TrainingError: The loss is not finite, or the folder of the run is gone.
            ModelFileError: A checkpoint cannot be written.
        """
        self._fit_stage()
        while not self._is_last:
            done = self.trainer
            done.settle()
            place, history = StagePlace(self._number + 1, done.epoch, done.n_steps), done.history
            del done, self.trainer  # before the next optimizer takes its memory
            self._begin(place, history)
            self._fit_stage()

    @property
    def _number(self) -> int:
        return self.trainer.settings.place.stage

    @property
    def _is_last(self) -> bool:
        return self._number + 1 == len(self.config.stages)

    def _fit_stage(self) -> None:
        settings, n_stages = self.trainer.settings, len(self.config.stages)
        if self.trainer.is_over:
            return
        if n_stages > 1:
            name = self.config.stages[self._number].optimizer
            epochs = f"epochs {settings.place.first_epoch} to {settings.n_epochs}"
            say(self.console, f"stage {self._number + 1} of {n_stages}: {name}, {epochs}")
        self.trainer.fit()
        best = self.trainer.best
        if self.trainer.epoch <= settings.n_epochs and not self._is_last and best is not None:
            why = f"after {settings.early_stop} epochs that were no better than epoch {best.epoch}"
            say(self.console, f"stage {self._number + 1} ended early {why}")

    def _begin(self, place: StagePlace, history: list[EpochResult]) -> None:
        """Make the trainer of a stage, with the potential as it is."""
        optimizer = self.config.stages[place.stage]
        sampler = BatchSampler(
            len(self.train_data),
            optimizer.batch_size,
            shuffle=self.config.data_shuffle,
            seed=self.config.seed,
            work=self.counts.sizes,
            weights=self.weights,
            least_batches=optimizer.least_steps,
        )
        update = OPTIMIZERS[optimizer.optimizer](self.potential, optimizer, steps_per_epoch=len(sampler))
        update.say = lambda line: say(self.console, line)
        if len(self.config.stages) == 1:
            say(self.console, *optimizer.cautions(optimizer.epochs * len(sampler)))
        settings = self._settings(place)
        has_rate = update.learning_rate is not None
        self._advice = Advice(
            lambda line: say(self.console, line),
            settings.ranked_by,
            settings.n_epochs,
            first_epoch=place.first_epoch,
            has_schedule=has_rate,
            is_last=place.stage + 1 == len(self.config.stages),
        )
        observers = None
        if distributed.is_first():
            trained = [name for name in update.weights.quantities if self.counts.n_labelled[name]]
            records, missing = optional_records(self.files, trained)
            records += own_records(self.files, update)
            say(self.console, *missing)
            display = ProgressDisplay(
                self.console,
                trained,
                settings.n_epochs,
                len(sampler),
                first_epoch=place.first_epoch,
                has_rate=has_rate,
                is_validated=self.valid_data is not None,
            )
            watchers = [EpochTables(self.files.folder, trained), *records, display, self._advice, *self.callbacks]
            observers = Observers(watchers, lambda line: say(self.console, line))
        self.trainer = Trainer(self.potential, update, self.train_data, self.valid_data, sampler, settings, observers)
        self.trainer.history = history
        self.trainer.check_folder = self.check_folder

    def _settings(self, place: StagePlace) -> TrainerSettings:
        config, optimizer = self.config, self.config.stages[place.stage]
        counts, usual_decay = self.counts, OPTIMIZERS[optimizer.optimizer].default_ema_decay
        return TrainerSettings(
            last=self.files.last,
            best=self.files.best,
            snapshots=self.files.snapshots,
            place=place,
            n_epochs=place.first_epoch - 1 + optimizer.epochs,
            early_stop=config.early_stop,
            ranked_by=optimizer.ranked_by,
            config=config.model_dump(mode="json"),
            data={"n_frames": counts.n_frames, "n_atoms": counts.n_atoms, "fingerprint": counts.fingerprint},
            print_freq=optimizer.print_freq,
            save_step=optimizer.save_step,
            ema_decay=usual_decay if config.ema_decay is None else config.ema_decay,
            device=self.device,
        )
