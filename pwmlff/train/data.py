"""The frames of a run: reading, holding out validation frames, counting labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.config import RunConfig
from pwmlff.data.detect import check_paths
from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.split import SplitBy, split_frames
from pwmlff.errors import ConfigError
from pwmlff.optim import OptimizerConfig

_FLAG_OF = {  # optimizer key that switches the training of a quantity on
    keys.ENERGY: "train_energy",
    keys.FORCES: "train_force",
    keys.VIRIAL: "train_virial",
    keys.ATOMIC_ENERGIES: "train_ei",
    keys.GROUP_ENERGIES: "train_egroup",
}


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
        fingerprint: SHA-256 of structures and energies, in order.
    """

    n_frames: int = 0
    n_atoms: int = 0
    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    n_labelled: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_FLAG_OF, 0))
    fingerprint: str = ""


def read_run_frames(config: RunConfig, report: ReadReport) -> tuple[Sequence[Frame], Sequence[Frame]]:
    """Read the training and validation frames of a run.

    Args:
        config: Names the files; without `valid_data`, a fraction `valid_ratio` of the training frames is held out.
        report: Collects what the readers decided and dropped.

    Raises:
        ConfigError: There is no training data.
        DataFormatError: A file cannot be read.
    """
    if not config.train_data:
        raise ConfigError("`train_data` is empty; list the files to train on")
    check_paths((*config.train_data, *config.valid_data))
    frames = read_frames(config.train_data, format=config.format, skip_bad=config.skip_bad, report=report)
    if len(frames) == 0:
        raise ConfigError("`train_data` holds no usable frame")
    if config.valid_data:
        valid = read_frames(config.valid_data, format=config.format, skip_bad=config.skip_bad, report=report)
        return frames, valid
    train, held_out = split_frames(
        len(frames),
        config.valid_ratio,
        SplitBy(config.valid_split),
        seed=config.seed,
        source_of=lambda index: frames[index].source,
    )
    return FrameSubset(frames, train), FrameSubset(frames, held_out)


def count_frames(frames: Sequence[Frame]) -> FrameCounts:
    """Count frames, atoms and labels, and fingerprint them."""
    counts, digest, sizes = FrameCounts(), hashlib.sha256(), []
    for frame in frames:
        sizes.append(len(frame))
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
    for label, flag in _FLAG_OF.items():
        n_labelled, is_trained = counts.n_labelled[label], getattr(optimizer, flag)
        name = label.replace("_", " ")
        if is_trained and n_labelled:
            used.append(f"{name} on {n_labelled} of {counts.n_frames} frames")
        elif is_trained:
            lines.append(f"no training frame has {name}: `{flag}` has no effect")
        elif n_labelled and label in keys.LABELS:
            lines.append(f"{name} on {n_labelled} frames, not trained: `{flag}` is false")
    if not used:
        flags = ", ".join(f"`{flag}`" for flag in _FLAG_OF.values())
        raise ConfigError(f"nothing to train: switch on one of {flags} for which the frames have labels")
    return [f"labels used: {', '.join(used)}", *lines]
