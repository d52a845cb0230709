"""Convert data files into a store, an extended XYZ or a folder of deepmd/npy, or into a train and a valid one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from pwmlff.data.detect import check_paths
from pwmlff.data.frame import Frame
from pwmlff.data.readers import LabelKeys, ReadReport, iterate_frames
from pwmlff.data.replacing import sweep, temporary_name
from pwmlff.data.spacing import describe_spacing
from pwmlff.data.split import SplitBy, split_frames
from pwmlff.data.store import StoredFrames, write_store
from pwmlff.data.suspects import SuspectFrames
from pwmlff.data.writers import check_output, write_frames
from pwmlff.errors import ConfigError, DataFormatError

_RATIO_DIGITS = 12  # 1 - 0.9 is to be 0.1, as a run file has it


def convert(
    paths: Sequence[Path],
    output: Path,
    *,
    format: str | None = None,
    split: float | None = None,
    by: SplitBy = SplitBy.TIME,
    seed: int = 2023,
    skip_bad: bool = False,
    append: bool = False,
    report: ReadReport | None = None,
    labels: LabelKeys | None = None,
) -> dict[Path, int]:
    """Convert, streaming: no more than a segment of frames is in memory.

    Args:
        paths: Files and folders to read, in this order.
        output: `.h5`, `.xyz`, or a new folder for deepmd/npy; with `split`, the two are named `<stem>_train` and
            `<stem>_valid`.
        format: Of the input; guessed when None.
        split: Fraction of the frames for training, between 0 and 1; the frames are those that training with
            `valid_ratio` 1 - split, the same rule and the same seed would take.
        by: TIME takes the first part of each source file, so that validation frames are the farthest in time;
            RANDOM draws from all frames.
        seed: Of the random split.
        skip_bad: Drop faulty frames.
        append: Add to an existing store.
        report: Collects what was decided, dropped, and looks wrong.
        labels: As for `read_frames`.

    Returns:
        Frames written to each file.

    Raises:
        ConfigError: The suffix, the fraction or the combination of options is wrong, or no frame is left to validate.
        DataFormatError: An input file is faulty, or nothing is left of it.
    """
    report = ReadReport() if report is None else report
    check_paths(paths)
    outputs = [output] if split is None else [_part(output, name) for name in ("train", "valid")]
    for path in outputs:
        check_output(path)
    _check_options(paths, output, split, append)
    suspects = SuspectFrames()
    frames = suspects.watch(
        chain.from_iterable(
            iterate_frames(path, format=format, skip_bad=skip_bad, report=report, labels=labels) for path in paths
        )
    )
    if split is None:
        counter = _Counter(frames)
        write_frames(output, counter, append=append)
        written = {output: counter.n_frames}
    else:
        written = _write_parts(frames, output, split, by, seed, report)
    report.notes += suspects.notes()
    return written


def _write_parts(
    frames: Iterable[Frame], output: Path, split: float, by: SplitBy, seed: int, report: ReadReport
) -> dict[Path, int]:
    """Write a training and a validation part; see `convert`."""
    sweep(output)
    folder = temporary_name(output)
    folder.mkdir()
    try:
        # frames per source are known only after reading them all
        store = folder / "all.h5"
        write_store(store, frames)
        stored = StoredFrames(store)
        if by is SplitBy.RANDOM:
            report.notes += describe_spacing(stored, "--by time")
        sources = stored.source_index
        valid_ratio = round(1.0 - split, _RATIO_DIGITS)
        train, valid = split_frames(len(stored), valid_ratio, by, seed=seed, source_of=lambda k: int(sources[k]))
        if len(valid) == 0:
            raise ConfigError(
                f"a training fraction of {split} leaves none of the {len(stored)} frames for validation; take a "
                "smaller one, or draw from all frames (--by random)"
            )
        parts = {_part(output, name): chosen for name, chosen in (("train", train), ("valid", valid))}
        for file, chosen in parts.items():
            write_frames(folder / file.name, (stored[int(index)] for index in chosen))
        for file in parts:  # both are complete
            if file.is_dir():
                file.rmdir()
            (folder / file.name).replace(file)
        written = {file: len(chosen) for file, chosen in parts.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return written


def _part(output: Path, name: str) -> Path:
    return output.with_name(f"{output.stem}_{name}{output.suffix}")


class _Counter:
    """Counts the frames that pass through."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.n_frames = 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.n_frames += 1
            yield frame
        if self.n_frames == 0:
            raise DataFormatError("no frame is left to write: all were dropped as faulty")


def _check_options(paths: Sequence[Path], output: Path, split: float | None, append: bool) -> None:
    if split is not None and not 0.0 < split < 1.0:
        raise ConfigError(f"the training fraction is {split}, expected a number between 0 and 1, such as 0.8")
    if split is not None and append:
        raise ConfigError("a split cannot be appended: the two parts would no longer be told apart by the rule")
    if not output.parent.is_dir():
        raise ConfigError(f"the folder '{output.parent}' does not exist")
    if any(path.exists() and output.exists() and path.samefile(output) for path in paths):
        raise ConfigError(f"'{output}' is also an input; choose another name")
