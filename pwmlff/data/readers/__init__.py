"""Readers: one file per format, each turning a file or folder into validated frames.

All unit and sign conversion happens here; behind it everything is eV, Å and `virial = -stress * volume`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pwmlff import keys
from pwmlff.data.chained import ChainedFrames
from pwmlff.data.detect import STORE, UNLABELLED, check_paths, data_files, guess_folder, guess_format
from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, LabelKeys, Reader, ReadReport, reason_of
from pwmlff.data.readers.deepmd_npy import read_deepmd_npy
from pwmlff.data.readers.dpdata_file import dpdata_reader
from pwmlff.data.readers.extxyz import read_extxyz
from pwmlff.data.readers.movement import read_movement
from pwmlff.data.readers.n2p2_data import read_n2p2_data, read_runner_data
from pwmlff.data.readers.outcar import read_outcar
from pwmlff.data.readers.pwmlff_npy import read_pwmlff_npy
from pwmlff.data.store import StoredFrames
from pwmlff.errors import DataFormatError, PwmlffError

__all__ = ["READERS", "LabelKeys", "ReadReport", "iterate_frames", "read_frames"]

READERS: dict[str, Reader] = {
    "pwmat/movement": read_movement,
    "vasp/outcar": read_outcar,
    "extxyz": read_extxyz,
    "deepmd/npy": read_deepmd_npy,
    "pwmlff/npy": read_pwmlff_npy,
    "n2p2/input.data": read_n2p2_data,
    "runner/input.data": read_runner_data,
}


def read_frames(
    paths: Sequence[Path | str] | Path | str,
    *,
    format: str | None = None,
    skip_bad: bool = False,
    report: ReadReport | None = None,
    labels: LabelKeys | None = None,
) -> Sequence[Frame]:
    """Read frames from files and folders, in the order given.

    Args:
        paths: Files, folders of such files, or folders of npy files, or one of them; formats may be mixed when `format`
            is None.
        format: A key of `READERS`, `"pwmlff/h5"`, or a format name of dpdata; guessed from the content when None.
        skip_bad: Drop faulty frames and list them in `report.skipped` instead of stopping at the first.
        report: Collects what was decided and dropped.
        labels: Keys of the labels in extended XYZ, where they are not those that its reader takes by itself.

    Returns:
        A list, or a lazy sequence where HDF5 stores are among the paths.

    Raises:
        DataFormatError: A file is missing, empty, of unknown format, or holds a faulty frame.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else paths
    report = ReadReport() if report is None else report
    check_paths(paths)
    parts: list[Sequence[Frame]] = []
    for path in (file for given in paths for file in data_files(Path(given))):
        if _format_of(path, format) == STORE:
            parts.append(_stored(path, report))
        else:
            parts.append(list(iterate_frames(path, format=format, skip_bad=skip_bad, report=report, labels=labels)))
    if any(isinstance(part, StoredFrames) for part in parts):
        return parts[0] if len(parts) == 1 else ChainedFrames(parts)
    return [frame for part in parts for frame in part]


def iterate_frames(
    path: Path | str,
    *,
    format: str | None = None,
    skip_bad: bool = False,
    report: ReadReport | None = None,
    labels: LabelKeys | None = None,
) -> Iterator[Frame]:
    """Stream the frames of one file or folder, without holding them all.

    Args:
        path: File or folder.
        format: As for `read_frames`.
        skip_bad: As for `read_frames`.
        report: As for `read_frames`.
        labels: As for `read_frames`.

    Raises:
        DataFormatError: The file is missing, empty, of unknown format, or holds a faulty frame.
    """
    path = Path(path)
    report = ReadReport() if report is None else report
    files = data_files(path)
    if files != [path]:
        for file in files:
            yield from iterate_frames(file, format=format, skip_bad=skip_bad, report=report, labels=labels)
        return
    name = _format_of(path, format)
    if name == STORE:
        yield from _stored(path, report)
        return
    if name in UNLABELLED:
        raise DataFormatError(f"{path}: {name} is a structure without labels; expected {', '.join(READERS)} or a store")
    reader = READERS.get(name) or dpdata_reader(name, READERS)
    n_skipped, n_frames = len(report.skipped), 0
    n_labelled = dict.fromkeys(keys.LABELS, 0)
    for frame in _guarded(reader(path, Faults(report, skip_bad, labels or LabelKeys())), path, name):
        n_frames += 1
        for label in keys.LABELS:
            n_labelled[label] += getattr(frame, label) is not None
        yield frame
    if n_frames == 0 and len(report.skipped) == n_skipped:
        reasons = "; ".join(note for note in report.notes if note.startswith(f"{path}: "))
        raise DataFormatError(f"{path}: no frame found reading it as {name}{'; ' if reasons else ''}{reasons}")
    report.finish_file(path, n_frames, n_labelled)


def _stored(path: Path, report: ReadReport) -> StoredFrames:
    stored = StoredFrames(path, verify=True)
    report.finish_file(path, len(stored), stored.n_labelled)
    return stored


def _guarded(frames: Iterator[Frame], path: Path, name: str) -> Iterator[Frame]:
    """Turn what a reader meets outside of its frames into our error, with the file."""
    try:
        yield from frames
    except PwmlffError as error:
        raise error if isinstance(error, DataFormatError) else DataFormatError(f"{path}: {error}") from error
    except OSError:  # names its file
        raise
    except Exception as error:
        raise DataFormatError(f"{path}: cannot be read as {name} ({reason_of(error)})") from error


def _format_of(path: Path, format: str | None) -> str:
    # a store among text files is recognised whatever format the others have
    guessed = guess_format(path) if format is None or path.suffix in (".h5", ".hdf5") else ""
    if format is None or guessed == STORE:
        return guessed
    if not path.exists():
        raise DataFormatError(f"{path} does not exist")
    # nor is a folder of npy files what the format of files among the data says
    if path.is_dir() and format in READERS and not format.endswith("/npy"):
        return guess_folder(path) or format
    if path.is_file() and path.stat().st_size == 0:
        raise DataFormatError(f"{path} is empty")
    return format
