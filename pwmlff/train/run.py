"""A training run from its configuration: data, model, optimizer, trainer.

With several processes all of them read the data; the first one decides whether to resume and fits statistics, which
the others receive, and it alone writes and prints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from pwmlff import distributed
from pwmlff.config import RunConfig
from pwmlff.data.chained import ChainedFrames
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.detect import check_paths
from pwmlff.data.frame import Frame
from pwmlff.data.isolated import shift_from_isolated
from pwmlff.data.readers import ReadReport
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.data.suspects import SuspectFrames
from pwmlff.device import choose_device
from pwmlff.errors import ConfigError, printable
from pwmlff.launch import is_restart
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.files import ModelFile
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.optim import OPTIMIZERS
from pwmlff.optim.base import UpdateStrategy
from pwmlff.optim.loss import QUANTITIES
from pwmlff.train.advice import Advice
from pwmlff.train.continuing import (
    ShiftedFrames,
    completed,
    describe_new_elements,
    match_energies,
    start_model,
)
from pwmlff.train.data import (
    FrameCounts,
    check_elements,
    count_frames,
    describe_labels,
    describe_validation,
    read_run_frames,
)
from pwmlff.train.ending import describe_end
from pwmlff.train.lock import RunLock
from pwmlff.train.observers import Observers, TrainingObserver
from pwmlff.train.progress import ProgressDisplay
from pwmlff.train.records import EpochTables, RunFiles, optional_records, own_records
from pwmlff.train.resume import decide
from pwmlff.train.sampler import BatchSampler
from pwmlff.train.size import check_size
from pwmlff.train.trainer import Trainer, TrainerSettings, nothing_to_check

_RESTART_PATIENCE = 120.0  # s until file servers notice that the process which is replaced has ended


def train_from_config(
    config: RunConfig,
    *,
    fresh: bool = False,
    console: Console | None = None,
    callbacks: Sequence[TrainingObserver] = (),
) -> Path:
    """Train a potential as a run file says, or go on with a run that was interrupted.

    Several processes that are to work on one run must have been joined, see `distributed.session`.

    Args:
        config: The run file.
        fresh: Start anew even where the run could be resumed.
        console: Where to print; standard output when None.
        callbacks: Further watchers of the run, in the first process.

    Returns:
        The last checkpoint; the best one and the logs are beside it.

    Raises:
        ConfigError: The run file does not fit the data.
        DataFormatError: The data cannot be read.
        TrainingStopped: A signal came; the state is saved and the same call resumes.
        TrainingError: The loss is not finite, or another run is going on in the folder.
        ModelFileError: A checkpoint cannot be read or written.
    """
    console = console or Console()
    if not distributed.is_first():
        console = Console(quiet=True)
        return _train(config, fresh, console, nothing_to_check, callbacks)
    patience = _RESTART_PATIENCE if is_restart() else 0.0
    with RunLock(config.model_store_dir, patience=patience, say=lambda line: _say(console, line)) as lock:
        return _train(config, fresh, console, lock.check, callbacks)


def _train(
    config: RunConfig,
    fresh: bool,
    console: Console,
    check_folder: Callable[[], None],
    callbacks: Sequence[TrainingObserver],
) -> Path:
    """Train; `check_folder` raises where the run's folder is no longer its own."""
    _say(console, *config.notices)
    if config.model_num > 1:
        _say(
            console, f"`model_num` is {config.model_num}: this run trains one of the models, that of seed {config.seed}"
        )
    device = _device(config, console)
    torch.manual_seed(config.seed)
    _check_paths(config)
    start = None if config.model_load_file is None else start_model(config.model_load_file)
    if start is not None:
        config = completed(config, start.potential)
        _say(console, *describe_new_elements(config.elements, start.potential))
    files = RunFiles(config.model_store_dir, config.model_name)
    frames = _read(config, console)
    config = _for_frames(config, frames, console)
    settings = _settings(config, files, device, frames.train_counts)
    checkpoint = _resumable(config, settings, files, fresh, console)
    potential, train_data = _prepare(config, frames, start, checkpoint, console)
    potential.to(device)
    trainer, advice = _trainer(config, potential, train_data, frames, settings, files, console, callbacks)
    trainer.check_folder = check_folder
    if checkpoint is not None:
        trainer.restore(checkpoint)
    if distributed.is_first():
        files.sweep()
        files.write_config(settings.config)
    if trainer.epoch > settings.n_epochs:
        _say(console, f"all {settings.n_epochs} epochs are done; raise `epochs` to go on, or start anew with --fresh")
        return files.last
    if trainer.is_stopped_early:
        _say(console, "the run has ended early; raise `early_stop` to go on, or start anew with --fresh")
        return files.last
    trainer.fit()
    _say(console, *describe_end(trainer, files, advice.at_the_end()))
    return files.last


def _check_paths(config: RunConfig) -> None:
    """Refuse a start model that does not exist, together with data that do not."""
    start, data = config.model_load_file, (*config.train_data, *config.valid_data)
    if start is not None and not start.exists() and not all(path.exists() for path in data):
        check_paths((start, *data))


class _RunFrames(NamedTuple):
    """The frames of a run, and what was counted in them; training frames are counted with those that are replayed."""

    train: Sequence[Frame]
    valid: Sequence[Frame]
    replay: Sequence[Frame]
    train_counts: FrameCounts
    valid_counts: FrameCounts
    weights: NDArray[np.float64] | None
    isolated: Mapping[str, float]

    @property
    def ranking_counts(self) -> FrameCounts:
        """Of the frames that rank epochs."""
        return self.valid_counts if len(self.valid) else self.train_counts


def _device(config: RunConfig, console: Console) -> torch.device:
    """Choose device and threads of this process, so that those of one machine do not fight for cores."""
    device = choose_device(config.device)
    if config.threads:
        torch.set_num_threads(config.threads)
    elif distributed.local_size() > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // distributed.local_size()))
    if device.type == "cuda" and distributed.local_size() > 1:
        device = torch.device("cuda", distributed.gpu_index())
    if distributed.size() > 1:
        _say(console, f"{distributed.size()} processes, {torch.get_num_threads()} CPU threads each, on {device.type}")
    return device


def _read(config: RunConfig, console: Console) -> _RunFrames:
    report = ReadReport(needs_labels=True)
    data = read_run_frames(config, report)
    train_frames, valid_frames = data.train, data.valid
    _say(console, *report.labels, *report.notes)
    if report.skipped:
        _say(console, f"left out {len(report.skipped)} frames:", *report.skipped)
    suspects = SuspectFrames()
    counts = count_frames(chain(suspects.watch(train_frames), data.replay))  # of another level of theory, perhaps
    valid_counts = count_frames(suspects.watch(valid_frames))
    among = f", {len(data.replay)} of the frames replayed" if len(data.replay) else ""
    _say(
        console,
        f"{counts.n_frames} training frames ({counts.n_atoms} atoms{among}), {len(valid_frames)} validation frames",
        *describe_labels(counts, config.optimizer),
        *describe_validation(counts, valid_counts, config),
    )
    for each in (counts, valid_counts):
        check_elements(each, config.elements)
    _say(console, *suspects.notes())
    weights = data.weights
    if weights is not None:
        n_drawn = max(1, round(float(weights.sum())))
        _say(console, f"an epoch draws {n_drawn} frames of {len(train_frames)} by `train_weights`")
        weights = np.concatenate([weights, np.ones(len(data.replay))])
    return _RunFrames(train_frames, valid_frames, data.replay, counts, valid_counts, weights, data.isolated)


def _for_frames(config: RunConfig, frames: _RunFrames, console: Console) -> RunConfig:
    """Return the run file with what the model leaves to the training frames, and the optimizer to their number."""
    hooks, n_frames = MODELS[config.model_key].RunFile, frames.train_counts.n_frames
    # in one process, so that all have the same model to the last bit
    model, lines = distributed.from_first(lambda: hooks.for_frames(config.model, config.elements, frames.train))
    optimizer = config.optimizer.for_frames(n_frames)
    if optimizer.batch_size != config.optimizer.batch_size:
        lines = [*lines, f"batches of {optimizer.batch_size} frames, as there are only {n_frames}"]
    _say(console, *lines)
    return config.model_copy(update={"model": model, "optimizer": optimizer})


def _settings(config: RunConfig, files: RunFiles, device: torch.device, counts: FrameCounts) -> TrainerSettings:
    return TrainerSettings(
        last=files.last,
        best=files.best,
        snapshots=files.snapshots,
        n_epochs=config.optimizer.epochs,
        early_stop=config.early_stop,
        config=config.model_dump(mode="json"),
        data={"n_frames": counts.n_frames, "n_atoms": counts.n_atoms, "fingerprint": counts.fingerprint},
        print_freq=config.optimizer.print_freq,
        save_step=config.optimizer.save_step,
        ema_decay=OPTIMIZERS[config.optimizer.optimizer].default_ema_decay
        if config.ema_decay is None
        else config.ema_decay,
        device=device,
    )


def _resumable(
    config: RunConfig, settings: TrainerSettings, files: RunFiles, fresh: bool, console: Console
) -> ModelFile | None:
    """Return the checkpoint to go on from; one of another run is renamed and None returned."""
    checkpoint = _find(config, settings, files, fresh, console) if distributed.is_first() else None
    can_resume = distributed.from_first(lambda: checkpoint is not None)
    return load_checkpoint(files.last) if can_resume and checkpoint is None else checkpoint


def _find(
    config: RunConfig, settings: TrainerSettings, files: RunFiles, fresh: bool, console: Console
) -> ModelFile | None:
    if not files.last.exists():
        return None
    # a run that torchrun started again is not a new one: what it found at its start has been set aside by then
    if (fresh or not config.recover_train) and not is_restart():
        why = ["--fresh was given" if fresh else "`recover_train` is false"]
    else:
        checkpoint = load_checkpoint(files.last)
        decision = decide(checkpoint, settings.config, settings.data["fingerprint"])
        if decision.resume:
            _say(console, *decision.lines)
            return checkpoint
        why = decision.lines
    _say(console, *why, f"starting anew; the old checkpoint is kept as {files.set_aside()}")
    return None


def _prepare(
    config: RunConfig, frames: _RunFrames, start: ModelFile | None, checkpoint: ModelFile | None, console: Console
) -> tuple[Potential, FrameDataset]:
    """Build the potential, with statistics and energy shift of the data or, where there is one, of a start model.

    What goes on from a checkpoint of the run itself gets its weights later; its frames are to be as at its start.
    """
    check_size(config)
    potential = build_potential(config.model_key, config.model, config.elements, dtype=config.precision, zbl=config.zbl)
    n_weights = sum(parameter.numel() for parameter in potential.parameters())
    held = potential.hold(config.freeze)
    _say(
        console,
        f"{config.model_key} model for {', '.join(config.elements)}: {n_weights} parameters"
        + (f", {held} of them frozen ({', '.join(config.freeze)})" if config.freeze else ""),
    )
    if start is not None:
        potential.start_from(start.potential)
        train_frames = _matched(potential, config, frames, start.potential.elements, console)
        train_data = FrameDataset(train_frames, config.elements, potential.cutoff)
        if distributed.is_first():
            potential.extend_shortest(iterate_batches(train_data, config.optimizer.batch_size))
        distributed.broadcast_(potential.shortest)
        return potential, train_data
    train_frames = ChainedFrames([frames.train, frames.replay]) if len(frames.replay) else frames.train
    train_data = FrameDataset(train_frames, config.elements, potential.cutoff)
    if checkpoint is not None:
        potential.start_from(checkpoint.potential)
        return potential, train_data
    if distributed.is_first():
        potential.set_energy_shift(_energy_shift(config, frames, console))
        potential.collect_statistics(iterate_batches(train_data, config.optimizer.batch_size))
    for tensor in potential.state_dict().values():
        distributed.broadcast_(tensor)
    shift = potential.energy_shift.tolist()
    shifts = ", ".join(f"{symbol} {value:.4f}" for symbol, value in zip(config.elements, shift, strict=True))
    _say(console, f"energy shift (eV): {shifts}")
    return potential, train_data


def _energy_shift(config: RunConfig, frames: _RunFrames, console: Console) -> NDArray[np.float64]:
    if not frames.isolated:
        return fit_energy_shift(frames.train, config.elements)
    atoms = ", ".join(f"{symbol} {energy:.4f}" for symbol, energy in sorted(frames.isolated.items()))
    missing = [symbol for symbol in config.elements if symbol not in frames.isolated]
    _say(console, f"energies of isolated atoms (eV): {atoms}")
    if missing:
        _say(console, f"no isolated atom of {', '.join(missing)}: the energy shift is fitted to the other frames")
        return fit_energy_shift(frames.train, config.elements)
    return shift_from_isolated(frames.train, config.elements, frames.isolated)


def _matched(
    potential: Potential, config: RunConfig, frames: _RunFrames, known: Sequence[str], console: Console
) -> Sequence[Frame]:
    """Match a start model's energies per atom to the training frames; return these with those that are replayed."""
    shift, lines = distributed.from_first(lambda: match_energies(potential, frames.train, known, config.energy_shift))
    potential.energy_shift.add_(torch.from_numpy(shift))
    _say(console, *lines)
    if not len(frames.replay):
        return frames.train
    old = [symbol in known for symbol in config.elements]
    moved = ShiftedFrames(frames.replay, config.elements, np.where(old, shift, 0.0)) if shift[old].any() else None
    if moved is not None:
        _say(console, "the same is added to the energies of the frames that are replayed")
    return ChainedFrames([frames.train, frames.replay if moved is None else moved])


def _trainer(
    config: RunConfig,
    potential: Potential,
    train_data: FrameDataset,
    frames: _RunFrames,
    settings: TrainerSettings,
    files: RunFiles,
    console: Console,
    callbacks: Sequence[TrainingObserver],
) -> tuple[Trainer, Advice]:
    optimizer = config.optimizer
    sampler = BatchSampler(
        len(train_data),
        optimizer.batch_size,
        shuffle=config.data_shuffle,
        seed=config.seed,
        work=frames.train_counts.sizes,
        weights=frames.weights,
        least_batches=optimizer.least_steps,
    )
    update = OPTIMIZERS[optimizer.optimizer](potential, optimizer, steps_per_epoch=len(sampler))
    update.say = lambda line: _say(console, line)
    _say(console, *optimizer.cautions(optimizer.epochs * len(sampler)))
    weights = zip(QUANTITIES, update.weights.as_tuple(), strict=True)
    trained = [name for name, weight in weights if weight > 0 and frames.train_counts.n_labelled[name]]
    _check_ranking(update, frames.ranking_counts)
    advice = Advice(
        lambda line: _say(console, line),
        [name for name, weight in zip(QUANTITIES, update.final_weights.as_tuple(), strict=True) if weight > 0],
        settings.n_epochs,
        has_schedule=update.learning_rate is not None,
    )
    observers = None
    if distributed.is_first():
        records, missing = optional_records(files, trained)
        records += own_records(files, update)
        _say(console, *missing)
        display = ProgressDisplay(
            console,
            trained,
            settings.n_epochs,
            len(sampler),
            has_rate=update.learning_rate is not None,
            is_validated=len(frames.valid) > 0,
        )
        tables = EpochTables(files.folder, trained)
        observers = Observers(
            [tables, *records, display, advice, *callbacks],
            lambda line: _say(console, line),
        )
    valid_data = _checked(frames.valid, config.elements, potential.cutoff) if len(frames.valid) else None
    return Trainer(potential, update, train_data, valid_data, sampler, settings, observers), advice


def _check_ranking(update: UpdateStrategy, counts: FrameCounts) -> None:
    """Make sure that the weights of the end, by which epochs are ranked, are not 0 for all labels of the frames."""
    weights = zip(QUANTITIES, update.final_weights.as_tuple(), strict=True)
    if not any(weight > 0 and counts.n_labelled[name] for name, weight in weights):
        raise ConfigError(
            "the weights at the end of the run are 0 for all that is trained, so that no epoch is better than another; "
            "give one of them (`end_pre_fac_...`) a value above 0"
        )


def _checked(frames: Sequence[Frame], elements: Sequence[str], cutoff: float) -> FrameDataset:
    """Return the data set after making each sample once, so that a faulty frame shows now and not after an epoch.

    With several processes each makes those it will validate.
    """
    data = FrameDataset(frames, elements, cutoff)
    for index in range(distributed.rank(), len(data), distributed.size()):
        data[index]
    return data


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
