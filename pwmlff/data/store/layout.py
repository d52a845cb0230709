"""What is in a store and how it is opened: arrays of all frames lie end to end.

Atoms of frame f are rows `frame_start[f]:frame_start[f + 1]`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pwmlff.errors import DataFormatError

FORMAT = "pwmlff-frames"
FORMAT_VERSION = 1
MASKS = ("energy", "forces", "virial", "atomic_energies")

# name: (shape behind the first axis, dtype); rows per frame, then rows per atom
PER_FRAME: dict[str, tuple[tuple[int, ...], Any]] = {
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
PER_ATOM: dict[str, tuple[tuple[int, ...], Any]] = {
    "atomic_numbers": ((), np.int64),
    "positions": ((3,), np.float64),
    "forces": ((3,), np.float64),
    "atomic_energies": ((), np.float64),
}
_KINDS = {np.float64: "f", np.int64: "iu", np.bool_: "b"}
# name: (shape behind the first axis, kinds of dtype)
_MEMBERS: dict[str, tuple[tuple[int, ...], str]] = {
    **{name: (shape, _KINDS[dtype]) for name, (shape, dtype) in (PER_FRAME | PER_ATOM).items()},
    "frame_start": ((), "iu"),
    "segment_end": ((), "iu"),
    "segment_sha256": ((), "OS"),
    "sources": ((), "OS"),
}


def open_store(path: Path, mode: str) -> h5py.File:
    """Open a store, whose members are all there with the right shapes and types.

    Raises:
        DataFormatError: The file is no readable store of this version.
    """
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
