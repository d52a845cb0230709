"""Writers of frames: extended XYZ with every digit, the HDF5 store, or a folder of deepmd/npy; the suffix chooses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pwmlff.data.deepmd_writer import check_new_folder, write_deepmd_npy
from pwmlff.data.frame import Frame
from pwmlff.data.replacing import replacing
from pwmlff.data.store import write_store
from pwmlff.elements import symbol_of
from pwmlff.errors import ConfigError

STORE_SUFFIXES = (".h5", ".hdf5")
XYZ_SUFFIXES = (".xyz", ".extxyz")


def check_output(path: Path) -> None:
    """Refuse a name whose suffix names no format, and a folder that holds something.

    Raises:
        ConfigError: It is such a name or folder.
    """
    if path.suffix == "":
        check_new_folder(path)
    elif path.suffix.lower() not in STORE_SUFFIXES + XYZ_SUFFIXES:
        raise ConfigError(
            f"'{path}' ends in '{path.suffix}'; expected {', '.join(STORE_SUFFIXES)} for a store, "
            f"{', '.join(XYZ_SUFFIXES)} for extended XYZ, or no suffix for a folder of deepmd/npy"
        )


def write_frames(path: Path, frames: Iterable[Frame], *, append: bool = False) -> None:
    """Write frames in the format the suffix names.

    Args:
        path: The file, replaced if it exists, unless `append`; or a new folder.
        frames: Consumed once, in order.
        append: Add to an existing store; not for the others.

    Raises:
        ConfigError: The suffix is unknown, or `append` is asked of another format than a store.
    """
    check_output(path)
    if path.suffix.lower() in STORE_SUFFIXES:
        write_store(path, frames, append=append)
    elif append:
        raise ConfigError(f"'{path}': only HDF5 stores can be appended to")
    elif path.suffix == "":
        write_deepmd_npy(path, frames)
    else:
        write_extxyz(path, frames)


def write_extxyz(path: Path, frames: Iterable[Frame]) -> None:
    """Write extended XYZ that reads back to the same numbers bit for bit.

    Args:
        path: The file; it appears only when it is complete.
        frames: Consumed once, in order.
    """
    with replacing(path) as partial, partial.open("w") as file:
        for frame in frames:
            file.write(format_extxyz(frame))


def format_extxyz(frame: Frame) -> str:
    """Format one frame; matrices in the column order of ASE's `virial`, columns named as ASE names them."""
    columns = ["species:S:1", "pos:R:3"]
    tables = [frame.positions]
    for name, table, width in (("forces", frame.forces, 3), ("energies", frame.atomic_energies, 1)):
        if table is not None:
            columns.append(f"{name}:R:{width}")
            tables.append(table.reshape(len(frame), width))
    parts = []
    if frame.cell.any():
        parts.append(f'Lattice="{_numbers(frame.cell)}"')
    parts.append(f"Properties={':'.join(columns)}")
    if frame.energy is not None:
        parts.append(f"energy={frame.energy!r}")
    if frame.virial is not None:
        parts.append(f'virial="{_numbers(frame.virial.T)}"')
    parts.append(f'pbc="{" ".join("T" if periodic else "F" for periodic in frame.pbc)}"')
    if frame.source:
        source = frame.source.replace('"', "'")
        parts.append(f'source="{source}" source_frame={frame.index}')
    rows = [
        f"{symbol_of(number):2s} {' '.join(map(repr, row))}"
        for number, row in zip(frame.atomic_numbers.tolist(), np.hstack(tables).tolist(), strict=True)
    ]
    return "\n".join([str(len(frame)), " ".join(parts), *rows, ""])


def _numbers(matrix: np.ndarray) -> str:
    return " ".join(map(repr, matrix.ravel().tolist()))
