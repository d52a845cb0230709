"""Structures without labels: what `pwmlff infer` reads.

PWmat's `atom.config`, whose first line may be a bare number of atoms, and LAMMPS dumps have parsers of their own;
formats of data (MOVEMENT, extended XYZ and others by name) are read as data is; everything else (POSCAR, CIF, LAMMPS
data files) is read by ASE. What the types of LAMMPS are is never guessed: ASE would take them for atomic numbers.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwmlff.data.atoms import frame_of
from pwmlff.data.detect import guess_format
from pwmlff.data.frame import Frame
from pwmlff.data.lammps_dump import is_dump, read_dump
from pwmlff.data.lammps_types import elements_of_types
from pwmlff.data.readers import READERS, iterate_frames
from pwmlff.data.readers.common import parse_rows, reason_of
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError, DataFormatError

if TYPE_CHECKING:
    from ase import Atoms

_CONFIG, _MOVEMENT, _EXTXYZ = "pwmat/config", "pwmat/movement", "extxyz"
_LAMMPS_DATA, _LAMMPS_DUMP = "lammps-data", "lammps-dump-text"

# names PWMLFF users know -> ours, otherwise ASE's
_NAMES = {
    _CONFIG: _CONFIG,
    _MOVEMENT: _MOVEMENT,
    "vasp/poscar": "vasp",
    "lammps/lmp": _LAMMPS_DATA,
    "lammps/dump": _LAMMPS_DUMP,
    "cif": "cif",
    "extxyz": _EXTXYZ,
    "xyz": _EXTXYZ,
}
_HEAD_BYTES = 4096


def read_structure(
    path: Path | str,
    *,
    format: str | None = None,
    elements: list[str] | None = None,
    notes: list[str] | None = None,
) -> Frame:
    """Read one structure; of a trajectory the last frame is taken.

    Args:
        path: The file.
        format: `pwmat/config`, `pwmat/movement`, `vasp/poscar`, `lammps/lmp`, `lammps/dump`, or any name of ASE;
            found from the content when None.
        elements: Symbols of LAMMPS types 1, 2, ..., for LAMMPS files that name none.
        notes: When given, what was concluded from the file is appended here.

    Raises:
        DataFormatError: The file is missing or is not a structure.
        ConfigError: An element does not exist, or the elements of LAMMPS types are needed and not given.
    """
    path = Path(path)
    if not path.is_file():
        raise DataFormatError(f"no structure file '{path}'; expected a file such as atom.config, POSCAR or a CIF")
    name = _guess(path) if format is None else _NAMES.get(format, format)
    if name in READERS:
        return _last(path, iterate_frames(path, format=name))
    if name == _LAMMPS_DUMP:
        return _last(path, (frame for _, frame in read_dump(path, elements)))
    if name == _CONFIG:
        return _read_pwmat_config(path)
    return _read_with_ase(path, name, elements, notes if notes is not None else [])


def _last(path: Path, frames: Iterable[Frame]) -> Frame:
    final = deque(frames, maxlen=1)
    if not final:
        raise DataFormatError(f"{path} is empty, expected at least one frame")
    return final.pop()


def _guess(path: Path) -> str | None:
    """Recognise what is not left to ASE, which knows some of it by the name only."""
    if is_dump(path):
        return _LAMMPS_DUMP
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).decode("utf-8", errors="replace")
    if re.search(r"^\s*\d+\s+atoms\b", head, re.M) and re.search(r"\b(xlo\s+xhi|avec)\b", head):
        return _LAMMPS_DATA
    try:
        guess = guess_format(path)
    except DataFormatError:  # ASE knows more formats
        return None
    if _is_pwmat(head.splitlines()):
        return _MOVEMENT if guess == _MOVEMENT else _CONFIG
    return _EXTXYZ if guess == _EXTXYZ else None


def _is_pwmat(lines: list[str]) -> bool:
    """Whether the first line starts with an atom count and a `lattice` heading (not extended XYZ's key) follows it."""
    words = lines[0].split() if lines else []
    is_counted = bool(words) and words[0].isdecimal()
    return is_counted and any(_is_heading(line, "lattice") for line in lines[1:])


def _is_heading(line: str, word: str) -> bool:
    return re.match(rf"\s*{word}\b(?!\s*=)", line, re.IGNORECASE) is not None


def _read_pwmat_config(path: Path) -> Frame:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    first = lines[0].split() if lines else []
    if not first or re.fullmatch("0*[1-9][0-9]{0,11}", first[0]) is None:
        raise DataFormatError(f"{path} line 1: expected the number of atoms, found '{' '.join(first)[:60]}'")
    cell = _block(path, lines, "lattice", 3, 3)
    rows = _block(path, lines, "position", int(first[0]), 4)
    return Frame(
        atomic_numbers=rows[:, 0],
        positions=rows[:, 1:] @ cell,
        cell=cell,
        source=str(path),
        line=1,
    )


def _block(path: Path, lines: list[str], heading: str, n_rows: int, n_columns: int) -> np.ndarray:
    """Parse the rows below the line that begins with `heading`."""
    first = next((i + 1 for i, line in enumerate(lines) if _is_heading(line, heading)), None)
    name = f"'{heading.capitalize()}' block"
    if first is None:
        raise DataFormatError(f"{path}: no {name}, expected one in PWmat's atom.config")
    rows = lines[first : first + n_rows]
    if len(rows) < n_rows:
        raise DataFormatError(
            f"{path} line {len(lines) + 1}: expected row {len(rows) + 1} of {n_rows} of the {name}, found the end "
            "of the file; it may be truncated"
        )
    return parse_rows(rows, n_columns, lambda k: f"{path} line {first + k + 1}, row {k + 1} of {n_rows} of the {name}")


def _read_with_ase(path: Path, format: str | None, elements: list[str] | None, notes: list[str]) -> Frame:
    import ase.io

    if format is not None and format not in ase.io.formats.ioformats:
        raise ConfigError(f"unknown structure format '{format}'; expected {', '.join(_NAMES)}, or a name of ASE's")
    try:
        atoms = ase.io.read(path, index=-1, format=format)
    except Exception as error:  # ASE's readers raise anything on a malformed file
        raise DataFormatError(
            f"cannot read {path} as a structure ({reason_of(error)}); the file may be truncated, or name its format "
            f"with --format, such as {', '.join(_NAMES)}"
        ) from error
    assert not isinstance(atoms, list)  # one index asks for one structure
    if len(atoms) == 0:
        raise DataFormatError(f"{path} holds no atoms")
    if elements is None and format == _LAMMPS_DATA:
        elements = elements_of_types(path, atoms.arrays["type"], notes)
    if elements is not None:
        _rename_types(atoms, elements, path)
    return frame_of(atoms, str(path))


def _rename_types(atoms: Atoms, elements: list[str], path: Path) -> None:
    """Give LAMMPS types their elements; without names ASE keeps the types, or takes them for atomic numbers."""
    types = atoms.arrays.get("type", atoms.numbers)
    if types.min() < 1 or types.max() > len(elements):
        raise DataFormatError(
            f"{path} holds atom types {types.min()} to {types.max()}, but {len(elements)} elements were named; "
            "name one element for each LAMMPS type, in order"
        )
    atoms.numbers = np.array([atomic_number_of(symbol) for symbol in elements])[types - 1]
