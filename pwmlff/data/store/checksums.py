"""A SHA-256 for each segment of a store, which is what one write added."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np

from pwmlff.data.store.layout import PER_ATOM, PER_FRAME, open_store
from pwmlff.errors import DataFormatError


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
    with open_store(path, "r") as file:
        begin = 0
        if len(file["segment_end"]) != len(file["segment_sha256"]):
            raise DataFormatError(
                f"{path}: {len(file['segment_end'])} segments have {len(file['segment_sha256'])} checksums; the file "
                "is damaged, convert the original data again"
            )
        for number, (end, digest) in enumerate(zip(file["segment_end"], file["segment_sha256"], strict=True)):
            if not begin < end <= file.attrs["n_frames"] or checksum(path, file, begin, int(end)) != digest.decode(
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


def checksum(path: Path, file: h5py.File, begin: int, end: int) -> str:
    """Return the SHA-256 over a segment's arrays, little-endian, in the order of the tables of the layout.

    Raises:
        DataFormatError: The segment cannot be read.
    """
    digest = hashlib.sha256()
    try:
        atoms = slice(int(file["frame_start"][begin]), int(file["frame_start"][end]))
        digest.update(np.ascontiguousarray(file["frame_start"][begin : end + 1], "<i8").tobytes())
        for table, rows in ((PER_FRAME, slice(begin, end)), (PER_ATOM, atoms)):
            for name, (_, dtype) in table.items():
                little = np.dtype(dtype).newbyteorder("<")
                digest.update(np.ascontiguousarray(file[name][rows], little).tobytes())
    except (OSError, RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise DataFormatError(
            f"{path}: frames {begin} to {end - 1} cannot be read ({error}); the file is damaged"
        ) from error
    return digest.hexdigest()
