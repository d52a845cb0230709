"""The model to report on, and the frames: those given, or those its training recorded, where they are still found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.data.split import SplitBy, split_frames
from pwmlff.elements import symbol_of
from pwmlff.errors import ConfigError, DataFormatError
from pwmlff.models import Potential
from pwmlff.models.files import ModelFile, read_model
from pwmlff.report.tags import Tag, tags_of
from pwmlff.train.data import count_frames

_MOST_COMPARED = 50_000  # frames, for whether test frames are training frames


@dataclass(frozen=True)
class FrameSet:
    """Frames that are looked at, thinned evenly from a larger set where that is large.

    Attributes:
        frames: Those looked at.
        tags: Of each.
        n_all: Frames before thinning.
        source: What they are, in words.
    """

    frames: list[Frame] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    n_all: int = 0
    source: str = ""

    def __len__(self) -> int:
        """Number of frames looked at."""
        return len(self.frames)

    @property
    def size(self) -> str:
        """The number of frames, and of how many."""
        return f"{len(self)} frames" if len(self) == self.n_all else f"{len(self)} of {self.n_all} frames"


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Attributes:
        path: Of the model.
        potential: Frozen, on its device.
        file: What else the model's file holds.
        train: Frames it was trained on; none where they are not known.
        test: Frames to judge it by; none where there are not any.
        notes: What was concluded about the frames.
        n_seen: Test frames that are training frames too.
    """

    path: Path
    potential: Potential
    file: ModelFile
    train: FrameSet
    test: FrameSet
    notes: list[str]
    n_seen: int = 0

    @property
    def frames(self) -> FrameSet:
        """Test frames, or training frames where there are none."""
        return self.test if len(self.test) else self.train

    @property
    def all(self) -> tuple[list[Frame], list[Tag]]:
        """Training and test frames with their tags."""
        return self.train.frames + self.test.frames, self.train.tags + self.test.tags


def read_subject(
    model: Path,
    data: Sequence[Path],
    train: Sequence[Path],
    *,
    device: torch.device,
    trust: bool,
    format: str | None,
    most_atoms: int,
) -> Subject:
    """Read the model and find its frames.

    Args:
        model: File of any kind.
        data: Test frames; none: the validation frames that the training recorded.
        train: Training frames; none: those that the training recorded.
        device: Where to put the model.
        trust: Whether code in the model's file may be run.
        format: Of the data given; guessed when None.
        most_atoms: Of the test frames looked at, and of the training frames.

    Raises:
        ModelFileError: The model cannot be read.
        DataFormatError: Data given cannot be read, or hold elements the model does not know.
        ConfigError: No frame is given, and none recorded is found.
    """
    file = read_model(model, trust)
    potential = file.potential.to(device).frozen()
    notes: list[str] = []
    own_train, own_test, words = _recorded(file.config, model, notes) if not (data and train) else ([], [], "")
    if len(own_train) and not train:
        notes += _changes(file, own_train)
    train_frames: Sequence[Frame] = read_frames(train, format=format, report=ReadReport()) if train else own_train
    test_frames: Sequence[Frame] = read_frames(data, format=format, report=ReadReport()) if data else own_test
    if len(train_frames) == 0 and len(test_frames) == 0:
        raise ConfigError(
            f"no frames to report on: '{model}' records none that are found here; name data: pwmlff report {model} DATA"
        )
    trained_on = f"named with --train: {_names(train)}" if train else f"recorded by the training: {words}"
    tested_on = _names(data) if data else "validation frames recorded by the training"
    sets = [
        _frame_set(frames, most_atoms, potential, source if len(frames) else "")
        for frames, source in ((train_frames, trained_on), (test_frames, tested_on))
    ]
    is_small = max(len(train_frames), len(test_frames)) <= _MOST_COMPARED
    seen = _digests(train_frames) & _digests(test_frames) if is_small else set()
    return Subject(model, potential, file, sets[0], sets[1], notes, len(seen))


def _changes(file: ModelFile, frames: Sequence[Frame]) -> list[str]:
    """Say that the files recorded hold other frames than they did, where the checkpoint can tell."""
    known = file.state.get("data", {}).get("fingerprint")
    if known is None or len(frames) > _MOST_COMPARED or count_frames(frames).fingerprint == known:
        return []
    return ["The training files have changed since the training: the frames looked at are not quite those it had."]


def _recorded(config: dict[str, Any], model: Path, notes: list[str]) -> tuple[Sequence[Frame], Sequence[Frame], str]:
    """Return training and validation frames as the training had them, and which files they are from."""
    named = [Path(path) for path in config.get("train_data") or ()]
    if not named:
        return [], [], ""
    valid_named = [Path(path) for path in config.get("valid_data") or ()]
    found = _found([*named, *valid_named], model)
    if isinstance(found, Path):
        notes.append(f"The training frames are not looked at: '{found}' is not found from here.")
        return [], [], ""
    format, skip_bad = config.get("format"), bool(config.get("skip_bad"))
    try:
        frames = read_frames(found[: len(named)], format=format, skip_bad=skip_bad)
        if valid_named:
            valid = read_frames(found[len(named) :], format=format, skip_bad=skip_bad)
            return frames, valid, _names(named)
    except DataFormatError as error:
        notes.append(f"The training frames are not looked at: {error}.")
        return [], [], ""
    kept, held_out = split_frames(
        len(frames),
        float(config.get("valid_ratio", 0.0)),
        SplitBy(config.get("valid_split", SplitBy.RANDOM.value)),
        seed=int(config.get("seed", 0)),
        source_of=lambda index: frames[index].source,
    )
    return [frames[int(k)] for k in kept], [frames[int(k)] for k in held_out], _names(named)


def _found(paths: Sequence[Path], model: Path) -> list[Path] | Path:
    """Return paths as seen from here, from the model's folder or from the one above; the first not found otherwise."""
    folder = model.absolute().parent
    for root in (Path(), folder, folder.parent):
        if all((root / path).exists() for path in paths):
            return [root / path for path in paths]
    return next(path for path in paths if not path.exists())


def _names(paths: Sequence[Path]) -> str:
    shown = [str(path) for path in paths[:4]]
    return ", ".join(shown) + (f" and {len(paths) - 4} more" if len(paths) > 4 else "")


def _frame_set(frames: Sequence[Frame], most_atoms: int, potential: Potential, source: str) -> FrameSet:
    """Choose evenly so many frames that they hold at most so many atoms, at least ten."""
    if len(frames) == 0:
        return FrameSet()
    sample = [len(frames[int(k)]) for k in np.linspace(0, len(frames) - 1, 50)]
    n_wanted = max(10, int(most_atoms / np.mean(sample)))
    places = np.unique(np.linspace(0, len(frames) - 1, min(n_wanted, len(frames))).round().astype(int))
    chosen = [frames[int(place)] for place in places]
    for frame in chosen:
        unknown = set(frame.atomic_numbers.tolist()) - set(potential.type_of)
        if unknown:
            raise DataFormatError(
                f"{frame.where} holds {symbol_of(min(unknown))}, but the model knows only "
                f"{', '.join(potential.elements)}"
            )
    return FrameSet(chosen, tags_of(chosen), len(frames), source)


def _digests(frames: Sequence[Frame]) -> set[bytes]:
    """Fingerprints of structures."""
    return {
        hashlib.sha256(frame.atomic_numbers.tobytes() + frame.positions.round(5).tobytes()).digest() for frame in frames
    }
