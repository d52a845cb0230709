"""A training run from its configuration: data, model, and the stages that train it.

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
from pwmlff.errors import ConfigError
from pwmlff.launch import is_restart
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.files import ModelFile
from pwmlff.models.files.checkpoint import load_checkpoint
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
from pwmlff.train.ending import describe_end, describe_no_end
from pwmlff.train.lock import RunLock
from pwmlff.train.observers import TrainingObserver
from pwmlff.train.progress import say
from pwmlff.train.records import RunFiles
from pwmlff.train.resume import decide
from pwmlff.train.size import check_size
from pwmlff.train.stages import StagedRun
from pwmlff.train.trainer import nothing_to_check

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
    with RunLock(config.model_store_dir, patience=patience, say=lambda line: say(console, line)) as lock:
        return _train(config, fresh, console, lock.check, callbacks)


def _train(
    config: RunConfig,
    fresh: bool,
    console: Console,
    check_folder: Callable[[], None],
    callbacks: Sequence[TrainingObserver],
) -> Path:
    """Train; `check_folder` raises where the run's folder is no longer its own."""
    say(console, *config.notices)
    if config.model_num > 1:
        say(
            console, f"`model_num` is {config.model_num}: this run trains one of the models, that of seed {config.seed}"
        )
    device = _device(config, console)
    torch.manual_seed(config.seed)
    _check_paths(config)
    start = None if config.model_load_file is None else start_model(config.model_load_file)
    if start is not None:
        config = completed(config, start.potential)
        say(console, *describe_new_elements(config.elements, start.potential))
    files = RunFiles(config.model_store_dir, config.model_name)
    frames = _read(config, console)
    config = _for_frames(config, frames, console)
    _check_ranking(config, frames.ranking_counts)
    checkpoint = _resumable(config, frames.train_counts.fingerprint, files, fresh, console)
    potential, train_data = _prepare(config, frames, start, checkpoint, console)
    potential.to(device)
    run = StagedRun(
        config=config,
        potential=potential,
        train_data=train_data,
        valid_data=_checked(frames.valid, config.elements, potential.cutoff) if len(frames.valid) else None,
        counts=frames.train_counts,
        weights=frames.weights,
        files=files,
        device=device,
        console=console,
        callbacks=callbacks,
        check_folder=check_folder,
        checkpoint=checkpoint,
    )
    del checkpoint  # it may have gigabytes
    if distributed.is_first():
        files.sweep()
        files.write_config(config.model_dump(mode="json"))
    if run.is_over:
        say(console, describe_no_end(run.trainer))
        return files.last
    run.fit()
    say(console, *describe_end(run.trainer, files, run.advice))
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
        say(console, f"{distributed.size()} processes, {torch.get_num_threads()} CPU threads each, on {device.type}")
    return device


def _read(config: RunConfig, console: Console) -> _RunFrames:
    report = ReadReport(needs_labels=True)
    data = read_run_frames(config, report)
    train_frames, valid_frames = data.train, data.valid
    say(console, *report.labels, *report.notes)
    if report.skipped:
        say(console, f"left out {len(report.skipped)} frames:", *report.skipped)
    suspects = SuspectFrames()
    counts = count_frames(chain(suspects.watch(train_frames), data.replay))  # of another level of theory, perhaps
    valid_counts = count_frames(suspects.watch(valid_frames))
    among = f", {len(data.replay)} of the frames replayed" if len(data.replay) else ""
    say(
        console,
        f"{counts.n_frames} training frames ({counts.n_atoms} atoms{among}), {len(valid_frames)} validation frames",
        *describe_labels(counts, config.stages[0]),
        *describe_validation(counts, valid_counts, config),
    )
    for each in (counts, valid_counts):
        check_elements(each, config.elements)
    say(console, *suspects.notes())
    weights = data.weights
    if weights is not None:
        n_drawn = max(1, round(float(weights.sum())))
        say(console, f"an epoch draws {n_drawn} frames of {len(train_frames)} by `train_weights`")
        weights = np.concatenate([weights, np.ones(len(data.replay))])
    return _RunFrames(train_frames, valid_frames, data.replay, counts, valid_counts, weights, data.isolated)


def _for_frames(config: RunConfig, frames: _RunFrames, console: Console) -> RunConfig:
    """Return the run file with what the model leaves to the training frames, and the optimizer to their number."""
    hooks, n_frames = MODELS[config.model_key].RunFile, frames.train_counts.n_frames
    # in one process, so that all have the same model to the last bit
    model, lines = distributed.from_first(lambda: hooks.for_frames(config.model, config.elements, frames.train))
    stages = [stage.for_frames(n_frames) for stage in config.stages]
    for stage, given in zip(stages, config.stages, strict=True):
        if stage.batch_size != given.batch_size:
            lines = [*lines, f"batches of {stage.batch_size} frames, as there are only {n_frames}"]
    say(console, *lines)
    return config.with_stages(stages).model_copy(update={"model": model})


def _resumable(config: RunConfig, fingerprint: str, files: RunFiles, fresh: bool, console: Console) -> ModelFile | None:
    """Return the checkpoint to go on from; one of another run is renamed and None returned."""
    checkpoint = _find(config, fingerprint, files, fresh, console) if distributed.is_first() else None
    can_resume = distributed.from_first(lambda: checkpoint is not None)
    return load_checkpoint(files.last) if can_resume and checkpoint is None else checkpoint


def _find(config: RunConfig, fingerprint: str, files: RunFiles, fresh: bool, console: Console) -> ModelFile | None:
    if not files.last.exists():
        return None
    # a run that torchrun started again is not a new one: what it found at its start has been set aside by then
    if (fresh or not config.recover_train) and not is_restart():
        why = ["--fresh was given" if fresh else "`recover_train` is false"]
    else:
        checkpoint = load_checkpoint(files.last)
        decision = decide(checkpoint, config.model_dump(mode="json"), fingerprint)
        if decision.resume:
            say(console, *decision.lines)
            return checkpoint
        why = decision.lines
    say(console, *why, f"starting anew; the old checkpoint is kept as {files.set_aside()}")
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
    say(
        console,
        f"{config.model_key} model for {', '.join(config.elements)}: {n_weights} parameters"
        + (f", {held} of them frozen ({', '.join(config.freeze)})" if config.freeze else ""),
    )
    if start is not None:
        potential.start_from(start.potential)
        train_frames = _matched(potential, config, frames, start.potential.elements, console)
        train_data = FrameDataset(train_frames, config.elements, potential.cutoff)
        if distributed.is_first():
            potential.extend_shortest(iterate_batches(train_data))
        distributed.broadcast_(potential.shortest)
        return potential, train_data
    train_frames = ChainedFrames([frames.train, frames.replay]) if len(frames.replay) else frames.train
    train_data = FrameDataset(train_frames, config.elements, potential.cutoff)
    if checkpoint is not None:
        potential.start_from(checkpoint.potential)
        return potential, train_data
    if distributed.is_first():
        potential.set_energy_shift(_energy_shift(config, frames, console))
        potential.collect_statistics(iterate_batches(train_data))
    for tensor in potential.state_dict().values():
        distributed.broadcast_(tensor)
    shift = potential.energy_shift.tolist()
    shifts = ", ".join(f"{symbol} {value:.4f}" for symbol, value in zip(config.elements, shift, strict=True))
    say(console, f"energy shift (eV): {shifts}")
    return potential, train_data


def _energy_shift(config: RunConfig, frames: _RunFrames, console: Console) -> NDArray[np.float64]:
    if not frames.isolated:
        return fit_energy_shift(frames.train, config.elements)
    atoms = ", ".join(f"{symbol} {energy:.4f}" for symbol, energy in sorted(frames.isolated.items()))
    missing = [symbol for symbol in config.elements if symbol not in frames.isolated]
    say(console, f"energies of isolated atoms (eV): {atoms}")
    if missing:
        say(console, f"no isolated atom of {', '.join(missing)}: the energy shift is fitted to the other frames")
        return fit_energy_shift(frames.train, config.elements)
    return shift_from_isolated(frames.train, config.elements, frames.isolated)


def _matched(
    potential: Potential, config: RunConfig, frames: _RunFrames, known: Sequence[str], console: Console
) -> Sequence[Frame]:
    """Match a start model's energies per atom to the training frames; return these with those that are replayed."""
    shift, lines = distributed.from_first(lambda: match_energies(potential, frames.train, known, config.energy_shift))
    potential.energy_shift.add_(torch.from_numpy(shift))
    say(console, *lines)
    if not len(frames.replay):
        return frames.train
    old = [symbol in known for symbol in config.elements]
    moved = ShiftedFrames(frames.replay, config.elements, np.where(old, shift, 0.0)) if shift[old].any() else None
    if moved is not None:
        say(console, "the same is added to the energies of the frames that are replayed")
    return ChainedFrames([frames.train, frames.replay if moved is None else moved])


def _check_ranking(config: RunConfig, counts: FrameCounts) -> None:
    """Make sure that the weights of the end, by which epochs are ranked, are not 0 for all labels of the frames."""
    if not any(counts.n_labelled[name] for name in config.stages[0].ranked_by):
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
