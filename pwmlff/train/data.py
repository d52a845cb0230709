"""The frames of a run: reading, holding out validation frames, counting labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.config import RunConfig
from pwmlff.data.chained import ChainedFrames
from pwmlff.data.detect import check_paths
from pwmlff.data.divided import divided
from pwmlff.data.frame import Frame
from pwmlff.data.isolated import isolated_atoms, isolated_energies
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.spacing import describe_spacing
from pwmlff.data.split import SplitBy, split_frames
from pwmlff.elements import symbol_of
from pwmlff.errors import ConfigError, DataFormatError
from pwmlff.optim import OptimizerConfig
from pwmlff.optim.base import FLAG_OF


class FrameSubset(Sequence[Frame]):
    """Some frames of a sequence, read only when asked for."""

    def __init__(self, frames: Sequence[Frame], indices: NDArray[np.int64]) -> None:
        """Choose frames by index, in the given order."""
        self._frames = frames
        self._indices = indices

    def __len__(self) -> int:
        """Number of frames chosen."""
        return len(self._indices)

    def __getitem__(self, index: int) -> Frame:  # type: ignore[override]  # slices are not needed
        """Return one frame."""
        return self._frames[int(self._indices[index])]

    def __iter__(self) -> Iterator[Frame]:
        """Go through the frames in order."""
        return (self[index] for index in range(len(self)))


@dataclass
class FrameCounts:
    """How many frames, atoms and labels a run has, counted in one pass.

    Attributes:
        n_frames: Frames.
        n_atoms: Atoms of all frames.
        sizes: [F] atoms of each frame.
        n_labelled: Frames that can train each quantity.
        elements: Atomic numbers, and where the first atom of each is.
        fingerprint: SHA-256 of structures and energies, in order.
    """

    n_frames: int = 0
    n_atoms: int = 0
    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    n_labelled: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FLAG_OF, 0))
    elements: dict[int, str] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True)
class RunData:
    """The frames of a run.

    Attributes:
        train: To train on.
        valid: That rank the epochs; there may be none.
        replay: Older frames to train on as well, against forgetting; there may be none.
        weights: [F] how often each training frame is drawn in an epoch; None where all are drawn once.
        isolated: Energies of isolated atoms among them, eV by symbol; those frames are in neither.
    """

    train: Sequence[Frame]
    valid: Sequence[Frame]
    replay: Sequence[Frame] = ()
    weights: NDArray[np.float64] | None = None
    isolated: dict[str, float] = field(default_factory=dict)


def read_run_frames(config: RunConfig, report: ReadReport) -> RunData:
    """Read the training and validation frames of a run.

    Args:
        config: Names the files; without `valid_data`, and without folders divided into `train` and `valid`, a fraction
            `valid_ratio` of the training frames is held out.
        report: Collects what the readers decided and dropped.

    Raises:
        ConfigError: There is no training data.
        DataFormatError: A file cannot be read.
    """
    if not config.train_data:
        raise ConfigError("`train_data` is empty; list the files to train on")
    check_paths((*config.train_data, *config.valid_data, *config.replay_data))
    frames, valid, weights = _read_sources(config, report)
    if len(frames) == 0:
        raise ConfigError("`train_data` holds no usable frame")
    kept = np.arange(len(frames))
    isolated: dict[str, float] = {}
    if config.isolated_atoms == "shift":
        frames, kept, isolated = without_isolated(frames, report)
        valid = without_isolated(valid, report)[0]
    if len(valid) == 0 and not config.valid_data:
        by = SplitBy(config.valid_split)
        if by is SplitBy.RANDOM and config.valid_ratio:
            report.notes += describe_spacing(frames)
        train, held_out = split_frames(
            len(frames),
            config.valid_ratio,
            by,
            seed=_split_seed(config),
            source_of=lambda index: frames[index].source,
        )
        frames, valid, kept = FrameSubset(frames, train), FrameSubset(frames, held_out), kept[train]
    if config.leave_out is not None:
        places = _without_part(len(frames), *config.leave_out, _split_seed(config))
        frames, kept = FrameSubset(frames, places), kept[places]
    weights = None if weights is None else weights[kept]
    if weights is not None and not weights.any():
        raise ConfigError("`train_weights` are 0 for all training frames; give one of them a weight above 0")
    return RunData(frames, valid, _read_replayed(config, len(frames), report), weights, isolated)


def _read_sources(
    config: RunConfig, report: ReadReport
) -> tuple[Sequence[Frame], Sequence[Frame], NDArray[np.float64] | None]:
    """Read training frames, validation frames and the weights of the former, before any are held out."""
    held_out = list(config.valid_data)
    parts, weights = [], []
    for path in config.train_data:
        to_train, to_validate = divided([path])
        if to_validate:
            report.note(path, "is divided into train and valid: trained on the one, validated on the other")
            held_out += to_validate
        parts.append(_read(to_train, config, report))
        weights.append(np.full(len(parts[-1]), config.train_weights.get(path, 1.0)))
    frames = parts[0] if len(parts) == 1 else ChainedFrames(parts)
    valid = _read(held_out, config, report) if held_out else []
    return frames, valid, np.concatenate(weights) if config.train_weights else None


def without_isolated(
    frames: Sequence[Frame], report: ReadReport
) -> tuple[Sequence[Frame], NDArray[np.int64], dict[str, float]]:
    """Return the frames that are no isolated atoms, their places [F], and the energies of those that are, eV by symbol.

    Args:
        frames: All of them; where there are only isolated atoms they stay.
        report: Is told of those left out.
    """
    atoms = isolated_atoms(frames)
    kept = np.setdiff1d(np.arange(len(frames)), atoms)
    if not atoms or len(kept) == 0:
        return frames, np.arange(len(frames)), {}
    energies, notes = isolated_energies(frames[index] for index in atoms)
    report.notes += [
        f"{len(atoms)} isolated atoms, the first in {frames[atoms[0]].where}: not trained on, nor validated with, "
        "unless `isolated_atoms` is train",
        *notes,
    ]
    return FrameSubset(frames, kept), kept, energies


def _read_replayed(config: RunConfig, n_new: int, report: ReadReport) -> Sequence[Frame]:
    """Draw so many of the older frames that they are the wanted part of all training frames, or take all of them."""
    if not config.replay_data:
        return []
    old = _read(config.replay_data, config, report)
    if config.isolated_atoms == "shift" and len(old):
        old = without_isolated(old, report)[0]
    if len(old) == 0:
        raise ConfigError("`replay_data` holds no usable frame")
    wanted = max(1, round(n_new * config.replay_fraction / (1.0 - config.replay_fraction)))
    chosen = np.random.default_rng(_split_seed(config)).permutation(len(old))[:wanted]
    return FrameSubset(old, np.sort(chosen))


def _read(paths: Sequence[Path], config: RunConfig, report: ReadReport) -> Sequence[Frame]:
    return read_frames(paths, format=config.format, skip_bad=config.skip_bad, report=report, labels=config.label_keys)


def _split_seed(config: RunConfig) -> int:
    return config.seed if config.split_seed is None else config.split_seed


def _without_part(n_frames: int, part: int, n_parts: int, seed: int) -> NDArray[np.int64]:
    """Return the places of all frames but one part of them."""
    if n_frames < n_parts:
        raise ConfigError(
            f"`leave_out` wants {n_parts} parts of {n_frames} training frames; expected at least a frame in each"
        )
    order = np.random.default_rng(seed).permutation(n_frames)
    return np.sort(order[np.arange(n_frames) % n_parts != part - 1])


def count_frames(frames: Iterable[Frame]) -> FrameCounts:
    """Count frames, atoms and labels, and fingerprint them."""
    counts, digest, sizes = FrameCounts(), hashlib.sha256(), []
    for frame in frames:
        sizes.append(len(frame))
        for number in np.unique(frame.atomic_numbers).tolist():
            counts.elements.setdefault(number, frame.where)
        for label in keys.LABELS:
            counts.n_labelled[label] += getattr(frame, label) is not None
        for array in (frame.atomic_numbers, frame.positions, frame.cell):
            digest.update(array.tobytes())
        digest.update(repr(frame.energy).encode())
    counts.n_labelled[keys.GROUP_ENERGIES] = counts.n_labelled[keys.ATOMIC_ENERGIES]
    counts.sizes = np.array(sizes, dtype=np.int64)
    counts.n_frames, counts.n_atoms = len(sizes), sum(sizes)
    counts.fingerprint = digest.hexdigest()
    return counts


def describe_labels(counts: FrameCounts, optimizer: OptimizerConfig) -> list[str]:
    """Say which labels are trained and on how many frames.

    Raises:
        ConfigError: Nothing is trained: no label is switched on, or no frame has one that is.
    """
    used, lines = [], []
    for label, flag in FLAG_OF.items():
        n_labelled, is_trained = counts.n_labelled[label], getattr(optimizer, flag)
        name = _name(label)
        if is_trained and n_labelled:
            used.append(f"{name} on {n_labelled} of {counts.n_frames} frames")
        elif is_trained:
            lines.append(f"no training frame has {name}: `{flag}` has no effect")
        elif n_labelled and label in keys.LABELS:
            lines.append(f"{name} on {n_labelled} frames, not trained: `{flag}` is false")
    if not used:
        raise ConfigError(_nothing_to_train(counts, optimizer))
    return [f"labels used: {', '.join(used)}", *lines]


def describe_validation(train: FrameCounts, valid: FrameCounts, config: RunConfig) -> list[str]:
    """Say which quantities that are trained the validation frames cannot judge.

    Args:
        train: Of the training frames.
        valid: Of the validation frames; there may be none.
        config: Says what is trained, and where the validation frames are from.

    Raises:
        ConfigError: They have none of the labels that are trained, so that they cannot tell the best epoch.
    """
    trained = [label for label in config.stages[0].trained if train.n_labelled[label]]
    without = [_name(label) for label in trained if not valid.n_labelled[label]]
    if valid.n_frames == 0 or not without:
        return []
    if len(without) == len(trained):
        advice = (
            "give `valid_data` with these labels, or leave it out to hold out training frames"
            if config.valid_data
            else "give another `seed` or a larger `valid_ratio`, or `valid_ratio` 0 to rank by the training frames"
        )
        raise ConfigError(
            f"none of the {valid.n_frames} validation frames has a label that is trained ({', '.join(without)}), "
            f"they have {_labels(valid)}: the best epoch could not be told; {advice}"
        )
    return [f"no validation frame has {', '.join(without)}: epochs are ranked by the other labels"]


def check_elements(counts: FrameCounts, elements: Sequence[str]) -> None:
    """Make sure that a model knows all elements of some frames.

    Raises:
        DataFormatError: It does not.
    """
    unknown = {
        symbol_of(number): where for number, where in counts.elements.items() if symbol_of(number) not in elements
    }
    if unknown:
        symbol, where = next(iter(unknown.items()))
        others = f" (the data also hold {', '.join(list(unknown)[1:])})" if len(unknown) > 1 else ""
        raise DataFormatError(
            f"{where} holds {symbol}, but `atom_type` lists only {', '.join(elements)}{others}; "
            "add all elements of the data to `atom_type`, or leave such frames out"
        )


def _nothing_to_train(counts: FrameCounts, optimizer: OptimizerConfig) -> str:
    asked = [f"`{FLAG_OF[label]}`" for label in optimizer.trained]
    usable = [f"`{flag}`" for label, flag in FLAG_OF.items() if counts.n_labelled[label]]
    advice = f"switch on {' or '.join(usable)}" if usable else "give frames with labels"
    return (
        f"nothing to train: {'true are ' + ', '.join(asked) if asked else 'no quantity is switched on'}, "
        f"the {counts.n_frames} training frames have {_labels(counts)}; {advice}"
    )


def _labels(counts: FrameCounts) -> str:
    present = [
        f"{_name(label)} ({counts.n_labelled[label]} frames)" for label in keys.LABELS if counts.n_labelled[label]
    ]
    return ", ".join(present) or "no labels"


def _name(label: str) -> str:
    return label.replace("_", " ")
