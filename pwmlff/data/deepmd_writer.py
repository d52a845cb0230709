"""deepmd-kit's folders of .npy arrays: a system per composition, its atoms in the order of the types.

A set holds all labels or none, so frames that differ in their labels, or in being periodic, are different systems.
Arrays are float64; the virial has our sign.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.data.frame import Frame
from pwmlff.data.replacing import sweep, temporary_name
from pwmlff.elements import symbol_of
from pwmlff.errors import ConfigError, DataFormatError

_FRAMES_PER_SET = 2000
_SUFFIX = {keys.ENERGY: "energy", keys.FORCES: "force", keys.VIRIAL: "virial", keys.ATOMIC_ENERGIES: "atom_ener"}


class _System:
    """Collects the frames of one system and writes a set whenever it is full.

    Args:
        folder: Of the system, made with the first set.
        frame: One of its frames, which tells what all of them have.
    """

    def __init__(self, folder: Path, frame: Frame) -> None:
        self.folder = folder
        self.numbers = np.sort(frame.atomic_numbers)
        self.is_periodic = bool(frame.pbc.all())
        self.labels = [label for label in keys.LABELS if getattr(frame, label) is not None]
        self.rows: dict[str, list[NDArray[np.float64]]] = {}
        self.n_sets = 0

    def add(self, frame: Frame) -> None:
        order = np.argsort(frame.atomic_numbers, kind="stable")
        row = {"coord": frame.positions[order]}
        if self.is_periodic:
            row["box"] = frame.cell
        for label in self.labels:
            value = np.asarray(getattr(frame, label))
            row[_SUFFIX[label]] = value[order] if label in (keys.FORCES, keys.ATOMIC_ENERGIES) else value
        for name, array in row.items():
            self.rows.setdefault(name, []).append(array.ravel())
        if len(self.rows["coord"]) == _FRAMES_PER_SET:
            self.write_set()

    def write_set(self) -> None:
        if not self.rows:
            return
        folder = self.folder / f"set.{self.n_sets:03d}"
        folder.mkdir(parents=True)
        for name, rows in self.rows.items():
            table = np.array(rows, dtype=np.float64)
            np.save(folder / f"{name}.npy", table[:, 0] if name == "energy" else table)
        self.rows = {}
        self.n_sets += 1

    def write_types(self, elements: list[int]) -> None:
        """Write what tells the elements of the atoms, by their place among all `elements` of the data."""
        types = np.searchsorted(elements, self.numbers)
        (self.folder / "type.raw").write_text("".join(f"{kind}\n" for kind in types))
        (self.folder / "type_map.raw").write_text("".join(f"{symbol_of(number)}\n" for number in elements))
        if not self.is_periodic:
            (self.folder / "nopbc").touch()


def check_new_folder(path: Path) -> None:
    """Refuse a folder that holds something: systems of two conversions would be read as one data set.

    Raises:
        ConfigError: It does, or is a file.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"'{path}' is there already; name a new folder, or remove it first")


def write_deepmd_npy(path: Path, frames: Iterable[Frame]) -> None:
    """Write deepmd/npy systems, which appear when all are complete.

    Args:
        path: A new or empty folder; gets a folder per system, named by its formula and what tells it from others.
        frames: Consumed once; those of a system keep their order, their atoms are sorted by atomic number.

    Raises:
        ConfigError: The folder holds something.
        DataFormatError: A frame is periodic in some directions only, which deepmd-kit does not know.
    """
    check_new_folder(path)
    sweep(path)
    partial = temporary_name(path)
    partial.mkdir(parents=True)
    systems: dict[str, _System] = {}
    try:
        for frame in frames:
            name = _name_of(frame)
            if name not in systems:
                systems[name] = _System(partial / name, frame)
            systems[name].add(frame)
        elements = sorted({number for system in systems.values() for number in system.numbers.tolist()})
        for system in systems.values():
            system.write_set()
            system.write_types(elements)
        if path.exists():
            path.rmdir()
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _name_of(frame: Frame) -> str:
    if frame.pbc.any() and not frame.pbc.all():
        raise DataFormatError(
            f"{frame.where} is periodic in {frame.pbc.sum()} of 3 directions; deepmd/npy knows all or none of them"
        )
    numbers, counts = np.unique(frame.atomic_numbers, return_counts=True)
    formula = "".join(f"{symbol_of(int(number))}{count}" for number, count in zip(numbers, counts, strict=True))
    missing = [_SUFFIX[label] for label in (keys.ENERGY, keys.FORCES) if getattr(frame, label) is None]
    more = [_SUFFIX[label] for label in (keys.VIRIAL, keys.ATOMIC_ENERGIES) if getattr(frame, label) is not None]
    open_ends = [] if frame.pbc.any() else ["nopbc"]
    return ".".join([formula, *open_ends, *(f"no_{name}" for name in missing), *more])
