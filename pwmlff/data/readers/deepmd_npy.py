"""deepmd-kit's folders of .npy arrays, plain and mixed-type.

A system is a folder with `type.raw`, `type_map.raw` and `set.*`; a mixed-type set has
`real_atom_types.npy` [frames, atoms], where -1 marks atoms that are not there. deepmd's virial has our sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, frame_row, label_like, load_array, load_integers
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError, DataFormatError

_LABELS = ("energy", "force", "virial", "atom_ener")


def read_deepmd_npy(path: Path, faults: Faults) -> Iterator[Frame]:
    """Read all deepmd systems in a folder.

    Args:
        path: A system, or a folder of systems at any depth.
        faults: What to do with faulty frames.

    Raises:
        DataFormatError: A file is missing or damaged, or a frame is faulty.
    """
    systems = sorted(file.parent for file in path.rglob("type.raw"))
    if not systems:
        raise DataFormatError(f"{path}: no `type.raw` in this folder or below it; expected a deepmd/npy system")
    for system in systems:
        type_numbers = _read_type_map(system)
        types = _read_types(system)
        pbc = np.full(3, not (system / "nopbc").exists())
        sets = sorted(folder for folder in system.glob("set.*") if folder.is_dir())
        if not sets:
            raise DataFormatError(f"{system}: no `set.*` folder; expected at least set.000")
        for folder in sets:
            yield from _read_set(folder, type_numbers, types, pbc, faults)


def _read_type_map(system: Path) -> NDArray[np.int64]:
    file = system / "type_map.raw"
    if not file.exists():
        raise DataFormatError(f"{file} is missing; write one element symbol per line, in the order of the types")
    try:
        return np.array([atomic_number_of(name) for name in file.read_text(errors="replace").split()])
    except ConfigError as error:
        raise DataFormatError(f"{file}: {error}") from None


def _read_types(system: Path) -> NDArray[np.int64]:
    try:
        types = np.array((system / "type.raw").read_text(errors="replace").split(), dtype=np.int64)
    except (ValueError, OverflowError):
        types = np.array([-1])
    if types.min(initial=0) < 0:
        raise DataFormatError(f"{system / 'type.raw'}: expected one type index per atom, whole numbers from 0")
    return types


def _read_set(
    folder: Path, type_numbers: NDArray[np.int64], types: NDArray[np.int64], pbc: NDArray[np.bool_], faults: Faults
) -> Iterator[Frame]:
    coordinates = load_array(folder / "coord.npy")
    n_frames = len(coordinates)
    periodic = bool(pbc.any())
    boxes = load_array(folder / "box.npy") if periodic else np.zeros((n_frames, 9))
    labels = {name: load_array(folder / f"{name}.npy") for name in _LABELS if (folder / f"{name}.npy").exists()}
    faults.report.not_taken(folder, label_like(file.name for file in folder.glob("*.npy") if file.stem not in _LABELS))
    mixed = folder / "real_atom_types.npy"
    frame_types = load_integers(mixed) if mixed.exists() else np.tile(types, (n_frames, 1))
    for name, array in {"box": boxes, "real_atom_types": frame_types, **labels}.items():
        if len(array) != n_frames:
            raise DataFormatError(f"{folder / name}.npy has {len(array)} frames, coord.npy has {n_frames}")

    arrays = {"coord": coordinates, "box": boxes, **labels}

    def build(index: int) -> Frame:
        row = frame_types[index]
        there = row >= 0
        if row.min(initial=0) < -1:
            raise DataFormatError(f"{folder} frame {index}: type {row.min()}, expected types from 0, or -1 for no atom")
        if row.max(initial=-1) >= len(type_numbers):
            raise DataFormatError(
                f"{folder} frame {index}: type {row.max()} is not in type_map.raw, "
                f"which has {len(type_numbers)} elements"
            )

        def get(name: str, *shape: int) -> NDArray[np.float64]:
            return frame_row(arrays[name], index, shape, name, f"{folder} frame {index}")

        return Frame(
            atomic_numbers=type_numbers[row[there]],
            positions=get("coord", len(row), 3)[there],
            cell=get("box", 3, 3),
            pbc=pbc,
            energy=get("energy", 1).item() if "energy" in labels else None,
            forces=get("force", len(row), 3)[there] if "force" in labels else None,
            virial=get("virial", 3, 3) if "virial" in labels else None,
            atomic_energies=get("atom_ener", len(row))[there] if "atom_ener" in labels else None,
            source=str(folder),
            index=index,
        )

    for index in range(n_frames):
        frame = faults.attempt(build, index, where=f"{folder} frame {index}")
        if frame is not None:
            yield frame
