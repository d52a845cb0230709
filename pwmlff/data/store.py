"""HDF5 store of labelled frames: versioned, ragged, appendable, checksummed; laid out as `docs/data.md` says.

Arrays of all frames lie end to end; atoms of frame f are rows `frame_start[f]:frame_start[f + 1]`. Each write adds
segments with a SHA-256. Writing and appending happen on a copy that is renamed when complete, so that an
interrupted one leaves the store as it was.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

import h5py
import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.replacing import replacing
from pwmlff.errors import DataFormatError

FORMAT = "pwmlff-frames"
FORMAT_VERSION = 1
_SEGMENT = 1024  # frames held in memory while writing
_MARGIN = 1 << 20  # bytes: tables of HDF5 itself, and the last chunks written anew
_CHUNK_ROWS = 1024  # small enough that one frame read at random unpacks little else
_MASKS = ("energy", "forces", "virial", "atomic_energies")

# name: (shape behind the first axis, dtype); rows per frame, then rows per atom
_PER_FRAME: dict[str, tuple[tuple[int, ...], Any]] = {
    "cell": ((3, 3), np.float64),
    "pbc": ((3,), np.bool_),
    "energy": ((), np.float64),
    "virial": ((3, 3), np.float64),
    "has_energy": ((), np.bool_),
    "has_forces": ((), np.bool_),
    "has_virial": ((), np.bool_),
    "has_atomic_energies": ((), np.bool_),
    "source": ((), np.int64),
    "index": ((), np.int64),
    "line": ((), np.int64),
}
_PER_ATOM: dict[str, tuple[tuple[int, ...], Any]] = {
    "atomic_numbers": ((), np.int64),
    "positions": ((3,), np.float64),
    "forces": ((3,), np.float64),
    "atomic_energies": ((), np.float64),
}
_KINDS = {np.float64: "f", np.int64: "iu", np.bool_: "b"}
# name: (shape behind the first axis, kinds of dtype)
_MEMBERS: dict[str, tuple[tuple[int, ...], str]] = {
    **{name: (shape, _KINDS[dtype]) for name, (shape, dtype) in (_PER_FRAME | _PER_ATOM).items()},
    "frame_start": ((), "iu"),
    "segment_end": ((), "iu"),
    "segment_sha256": ((), "OS"),
    "sources": ((), "OS"),
}


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
            _open(path, "r").close()
            shutil.copyfile(path, partial)
        else:
            with h5py.File(partial, "w") as file:
                _create(file)
        _append(partial, frames)


def verify_store(path: Path | str) -> int:
    """Recompute the checksum of every segment.

    Args:
        path: A store.

    Returns:
        The number of segments.

    Raises:
        DataFormatError: The file is no readable store, or its content was altered.
    """
    path = Path(path)
    try:
        return _verify(path)
    except (OSError, RuntimeError, ValueError) as error:  # what HDF5 raises depends on which bytes are damaged
        raise DataFormatError(f"{path}: cannot be read ({error}); the file is damaged") from error


def _verify(path: Path) -> int:
    with _open(path, "r") as file:
        begin = 0
        if len(file["segment_end"]) != len(file["segment_sha256"]):
            raise DataFormatError(
                f"{path}: {len(file['segment_end'])} segments have {len(file['segment_sha256'])} checksums; the file "
                "is damaged, convert the original data again"
            )
        for number, (end, digest) in enumerate(zip(file["segment_end"], file["segment_sha256"], strict=True)):
            if not begin < end <= file.attrs["n_frames"] or _digest(path, file, begin, int(end)) != digest.decode(
                errors="replace"
            ):
                raise DataFormatError(
                    f"{path}: frames {begin} to {end - 1} (segment {number}) do not match their checksum; "
                    "the file is damaged, convert the original data again"
                )
            begin = int(end)
        if begin != file.attrs["n_frames"]:
            raise DataFormatError(
                f"{path}: checksums are there for {begin} of {file.attrs['n_frames']} frames; the file is damaged, "
                "convert the original data again"
            )
        return len(file["segment_end"])


class StoredFrames(Sequence[Frame]):
    """The frames of a store, read from the file when they are asked for.

    The file is opened once per process, so a store may be handed to worker processes.
    """

    def __init__(self, path: Path | str, *, verify: bool = False) -> None:
        """Open a store.

        Args:
            path: The file.
            verify: Check all checksums first, which reads the whole file; the readers do.

        Raises:
            DataFormatError: The file is no readable store of this version.
        """
        self.path = Path(path)
        self._datasets: dict[str, h5py.Dataset] = {}
        self._process = -1
        if verify:
            verify_store(self.path)
        try:
            with _open(self.path, "r") as file:
                self._n_frames = int(file.attrs["n_frames"])
                self.frame_start: NDArray[np.int64] = file["frame_start"][: self._n_frames + 1]
                self._sources: list[str] = [name.decode(errors="replace") for name in file["sources"]]
                self.n_labelled = {name: int(np.count_nonzero(file[f"has_{name}"][:])) for name in _MASKS}
                lengths = {len(file[name]) for name in _PER_FRAME}
                n_atoms = {len(file[name]) for name in _PER_ATOM}
                source = file["source"][:]
        except (OSError, RuntimeError, ValueError) as error:  # what HDF5 raises depends on which bytes are damaged
            raise DataFormatError(f"{self.path}: cannot be read ({error}); the file is damaged") from error
        starts = self.frame_start
        if len(starts) != self._n_frames + 1 or starts[0] != 0 or (np.diff(starts) < 1).any():
            raise DataFormatError(f"{self.path}: `frame_start` does not rise from 0; the file is damaged")
        if len(source) and not 0 <= source.min() <= source.max() < len(self._sources):
            raise DataFormatError(
                f"{self.path}: frames name sources {source.min()} to {source.max()}, the file has "
                f"{len(self._sources)}; the file is damaged"
            )
        if lengths != {self._n_frames} or n_atoms != {int(self.frame_start[-1])}:
            raise DataFormatError(
                f"{self.path}: arrays hold {sorted(lengths)} frames and {sorted(n_atoms)} atoms, the file says "
                f"{self._n_frames} and {self.frame_start[-1]}; the file is damaged"
            )

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """[F] atoms of each frame, without reading the frames."""
        return np.diff(self.frame_start)

    @property
    def source_index(self) -> NDArray[np.int64]:
        """[F] which source each frame came from, without reading the frames."""
        source: NDArray[np.int64] = self._opened()["source"][: self._n_frames]
        return source

    def __len__(self) -> int:
        """Number of frames."""
        return self._n_frames

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        """Read one frame, or a list of frames for a slice."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        index %= len(self)
        datasets = self._opened()
        try:
            row = {name: datasets[name][index] for name in _PER_FRAME}
            atoms = slice(self.frame_start[index], self.frame_start[index + 1])
            columns = {name: datasets[name][atoms] for name in _PER_ATOM}
        except (OSError, RuntimeError, ValueError) as error:
            raise DataFormatError(
                f"{self.path}: frame {index} cannot be read ({error}); the file is damaged"
            ) from error
        labels = {**row, **columns}
        line = int(row["line"])
        return Frame(
            atomic_numbers=columns["atomic_numbers"],
            positions=columns["positions"],
            cell=row["cell"],
            pbc=row["pbc"],
            source=self._sources[int(row["source"])],
            index=int(row["index"]),
            line=line if line > 0 else None,
            **{name: labels[name] if row[f"has_{name}"] else None for name in _MASKS},
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when sent to another process."""
        return {**self.__dict__, "_datasets": {}, "_process": -1}

    def _opened(self) -> dict[str, h5py.Dataset]:
        # an HDF5 handle must not cross a fork
        if self._process != os.getpid():
            file = _open(self.path, "r")
            self._datasets, self._process = {name: file[name] for name in (*_PER_FRAME, *_PER_ATOM)}, os.getpid()
        return self._datasets


class ChainedFrames(Sequence[Frame]):
    """Several sequences of frames as one, without copying them."""

    def __init__(self, parts: Sequence[Sequence[Frame]]) -> None:
        """Chain sequences.

        Args:
            parts: Lists of frames or stores.
        """
        self._parts = list(parts)
        self._end = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        """Number of frames."""
        return int(self._end[-1])

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        """Return one frame, or a list of frames for a slice."""
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        index %= len(self)
        part = int(np.searchsorted(self._end, index, side="right"))
        return self._parts[part][index - (int(self._end[part - 1]) if part else 0)]


def _create(file: h5py.File) -> None:
    file.attrs.update({"format": FORMAT, "version": FORMAT_VERSION, "n_frames": 0})
    file.attrs["units"] = "eV, angstrom; cell vectors are rows; virial = -stress * volume"
    for table in (_PER_FRAME, _PER_ATOM):
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
    with _open(path, "r+") as file:
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
    _extend(file["segment_sha256"], [_digest(path, file, begin, end)])
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
    for name in _MASKS:
        columns[f"has_{name}"] = np.array([getattr(f, name) is not None for f in frames])
    return columns


def _extend(dataset: h5py.Dataset, rows: Any) -> None:
    if len(rows):
        old = len(dataset)
        dataset.resize(old + len(rows), axis=0)
        dataset[old:] = rows


def _digest(path: Path, file: h5py.File, begin: int, end: int) -> str:
    """SHA-256 over a segment's arrays, little-endian, in the order of the tables above."""
    digest = hashlib.sha256()
    try:
        atoms = slice(int(file["frame_start"][begin]), int(file["frame_start"][end]))
        digest.update(np.ascontiguousarray(file["frame_start"][begin : end + 1], "<i8").tobytes())
        for table, rows in ((_PER_FRAME, slice(begin, end)), (_PER_ATOM, atoms)):
            for name, (_, dtype) in table.items():
                little = np.dtype(dtype).newbyteorder("<")
                digest.update(np.ascontiguousarray(file[name][rows], little).tobytes())
    except (OSError, RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise DataFormatError(
            f"{path}: frames {begin} to {end - 1} cannot be read ({error}); the file is damaged"
        ) from error
    return digest.hexdigest()


def _open(path: Path, mode: str) -> h5py.File:
    try:
        file = h5py.File(path, mode)
        is_store = str(file.attrs.get("format")) == FORMAT
        version = file.attrs.get("version")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataFormatError(f"{path}: cannot be opened as HDF5 ({error}); the file may be truncated") from error
    if not is_store:
        file.close()
        raise DataFormatError(f"{path}: an HDF5 file, but not a store written by pwmlff data convert")
    if not isinstance(version, (int, np.integer)) or version != FORMAT_VERSION:
        file.close()
        raise DataFormatError(f"{path}: store version {version}, this program reads version {FORMAT_VERSION}")
    try:
        fault = _wrong_member(file)
    except Exception as error:  # HDF5 raises anything on damaged headers
        fault = f"its members cannot be read ({type(error).__name__}: {error})"
    if fault:
        file.close()
        raise DataFormatError(f"{path}: {fault}; the file is damaged or not written by pwmlff data convert")
    return file


def _wrong_member(file: h5py.File) -> str:
    """Say what is wrong with the members; data outside of the file is not followed, for no checksum is about it."""
    if not isinstance(file.attrs.get("n_frames"), (int, np.integer)) or file.attrs["n_frames"] < 0:
        return "the attribute `n_frames` is no number of frames"
    for name, (tail, kind) in _MEMBERS.items():
        link = file.get(name, getlink=True)
        if link is None:
            return f"`{name}` is missing"
        if not isinstance(link, h5py.HardLink):
            return f"`{name}` is a link to elsewhere"
        member = file.get(name)
        if not isinstance(member, h5py.Dataset):
            return f"`{name}` is no array"
        if member.external or member.is_virtual:
            return f"`{name}` is stored outside of the file"
        if member.ndim == 0 or member.shape[1:] != tail or member.dtype.kind not in kind:
            return f"`{name}` has shape {member.shape} of {member.dtype}, expected rows of shape {tail}"
    return ""
