"""Writing a store, on a copy that is renamed when complete: an interrupted writing leaves the store as it was."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.replacing import replacing
from pwmlff.data.store.checksums import checksum
from pwmlff.data.store.layout import FORMAT, FORMAT_VERSION, MASKS, PER_ATOM, PER_FRAME, open_store

_SEGMENT = 1024  # frames held in memory while writing
_MARGIN = 1 << 20  # bytes: tables of HDF5 itself, and the last chunks written anew
_CHUNK_ROWS = 1024  # small enough that one frame read at random unpacks little else


def write_store(path: Path | str, frames: Iterable[Frame], append: bool = False) -> None:
    """Write frames to a store, segment by segment.

    Args:
        path: The file; an existing one is replaced unless `append`.
        frames: Consumed once, at most a segment is held in memory.
        append: Add to an existing store.

    Raises:
        DataFormatError: `append` and the file is no readable store.
    """
    path = Path(path)
    # HDF5 promises nothing about a file whose writer was killed, so all writing happens on a copy
    with replacing(path) as partial:
        _check_room(partial, 0, _MARGIN)
        if append and path.exists():
            open_store(path, "r").close()
            shutil.copyfile(path, partial)
        else:
            with h5py.File(partial, "w") as file:
                _create(file)
        _append(partial, frames)


def _create(file: h5py.File) -> None:
    file.attrs.update({"format": FORMAT, "version": FORMAT_VERSION, "n_frames": 0})
    file.attrs["units"] = "eV, angstrom; cell vectors are rows; virial = -stress * volume"
    for table in (PER_FRAME, PER_ATOM):
        for name, (shape, dtype) in table.items():
            file.create_dataset(
                name,
                (0, *shape),
                dtype,
                maxshape=(None, *shape),
                chunks=(_CHUNK_ROWS, *shape),
                compression="gzip",
                shuffle=True,
            )
    file.create_dataset("frame_start", data=np.zeros(1, np.int64), maxshape=(None,), chunks=(_CHUNK_ROWS,))
    file.create_dataset("sources", (0,), h5py.string_dtype(), maxshape=(None,))
    file.create_dataset("segment_end", (0,), np.int64, maxshape=(None,))
    file.create_dataset("segment_sha256", (0,), h5py.string_dtype(), maxshape=(None,))


def _append(path: Path, frames: Iterable[Frame]) -> None:
    iterator = iter(frames)
    with open_store(path, "r+") as file:
        while segment := list(islice(iterator, _SEGMENT)):
            _append_segment(path, file, segment)


def _check_room(path: Path, begin: int, n_bytes: int) -> None:
    """Try for room on the disk before HDF5 writes, for it ends in a signal where a write fails.

    Raises:
        OSError: The disk is full, or the file larger than it may be.
    """
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), begin, n_bytes)
            os.ftruncate(file.fileno(), begin)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                os.ftruncate(file.fileno(), begin)
                raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
            # a file system that cannot; the write will tell


def _append_segment(path: Path, file: h5py.File, frames: Sequence[Frame]) -> None:
    begin = int(file.attrs["n_frames"])
    end = begin + len(frames)
    sources = {name.decode(): k for k, name in enumerate(file["sources"])}
    for frame in frames:
        sources.setdefault(frame.source, len(sources))
    columns = _columns(frames, sources)
    file.flush()
    _check_room(path, file.id.get_filesize(), 2 * sum(array.nbytes for array in columns.values()) + _MARGIN)
    _extend(file["sources"], list(sources)[len(file["sources"]) :])
    starts = int(file["frame_start"][-1]) + np.cumsum([len(frame) for frame in frames])
    for name, array in columns.items():
        _extend(file[name], array)
    _extend(file["frame_start"], starts)
    _extend(file["segment_end"], [end])
    _extend(file["segment_sha256"], [checksum(path, file, begin, end)])
    file.attrs["n_frames"] = end


def _columns(frames: Sequence[Frame], sources: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Arrays of a segment; an absent label is NaN under its mask, never zero."""
    columns: dict[str, NDArray[Any]] = {
        "cell": np.stack([f.cell for f in frames]),
        "pbc": np.stack([f.pbc for f in frames]),
        "energy": np.array([np.nan if f.energy is None else f.energy for f in frames]),
        "virial": np.stack([np.full((3, 3), np.nan) if f.virial is None else f.virial for f in frames]),
        "source": np.array([sources[f.source] for f in frames]),
        "index": np.array([f.index for f in frames]),
        "line": np.array([f.line or 0 for f in frames]),
        "atomic_numbers": np.concatenate([f.atomic_numbers for f in frames]),
        "positions": np.concatenate([f.positions for f in frames]),
        "forces": np.concatenate([np.full((len(f), 3), np.nan) if f.forces is None else f.forces for f in frames]),
        "atomic_energies": np.concatenate(
            [np.full(len(f), np.nan) if f.atomic_energies is None else f.atomic_energies for f in frames]
        ),
    }
    for name in MASKS:
        columns[f"has_{name}"] = np.array([getattr(f, name) is not None for f in frames])
    return columns


def _extend(dataset: h5py.Dataset, rows: Any) -> None:
    if len(rows):
        old = len(dataset)
        dataset.resize(old + len(rows), axis=0)
        dataset[old:] = rows
