"""Structures without labels: what `pwmlff infer` reads.

PWmat's `atom.config`, whose first line may be a bare number of atoms, and LAMMPS dumps have parsers of their own;
everything else (POSCAR, CIF, extended XYZ, LAMMPS data files) is read by ASE. What the types of LAMMPS are is never
guessed: ASE would take them for atomic numbers.
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwmlff.data.detect import guess_format
from pwmlff.data.frame import Frame
from pwmlff.data.lammps_dump import read_dump
from pwmlff.data.lammps_types import elements_of_types
from pwmlff.data.readers import iterate_frames
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError, DataFormatError

if TYPE_CHECKING:
    from ase import Atoms

PWMAT_CONFIG = "pwmat/config"
PWMAT_MOVEMENT = "pwmat/movement"

# names PWMLFF users know -> ASE's
_LAMMPS_DATA, _LAMMPS_DUMP = "lammps-data", "lammps-dump-text"
_ASE_NAMES = {
    "vasp/poscar": "vasp",
    "lammps/lmp": _LAMMPS_DATA,
    "lammps/dump": _LAMMPS_DUMP,
    "cif": "cif",
    "extxyz": "extxyz",
    "xyz": "extxyz",
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
    is_pwmat = format is None and _is_pwmat(path)
    if format == PWMAT_MOVEMENT or (is_pwmat and guess_format(path) == PWMAT_MOVEMENT):
        *_, last = iterate_frames(path, format=PWMAT_MOVEMENT)
        return last
    if format == PWMAT_CONFIG or is_pwmat:
        return _read_pwmat_config(path)
    name = _lammps_format(path) if format is None else _ASE_NAMES.get(format, format)
    if name == _LAMMPS_DUMP:
        final = deque((frame for _, frame in read_dump(path, elements)), maxlen=1)
        if not final:
            raise DataFormatError(f"{path} is empty, expected at least one frame of a LAMMPS dump")
        return final.pop()
    return _read_with_ase(path, name, elements, notes if notes is not None else [])


def _lammps_format(path: Path) -> str | None:
    """Recognise the files of LAMMPS, whose names tell nothing."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).decode("utf-8", errors="replace")
    if head.startswith("ITEM:"):
        return _LAMMPS_DUMP
    is_data = re.search(r"^\s*\d+\s+atoms\b", head, re.M) and re.search(r"\b(xlo\s+xhi|avec)\b", head)
    return _LAMMPS_DATA if is_data else None


def _is_pwmat(path: Path) -> bool:
    """Whether the first line starts with an atom count and a `lattice` heading (not extended XYZ's key) follows it."""
    with path.open("rb") as file:
        lines = file.read(_HEAD_BYTES).decode("utf-8", errors="replace").splitlines()
    words = lines[0].split() if lines else []
    is_counted = bool(words) and words[0].isdecimal()
    return is_counted and any(_is_heading(line, "lattice") for line in lines[1:])


def _is_heading(line: str, word: str) -> bool:
    return re.match(rf"\s*{word}\b(?!\s*=)", line, re.IGNORECASE) is not None


def _read_pwmat_config(path: Path) -> Frame:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    first = lines[0].split() if lines else []
    if not first or not first[0].isdecimal():
        raise DataFormatError(f"{path} line 1: expected the number of atoms, found '{' '.join(first)}'")
    cell = _block(path, lines, "lattice", 3, (0, 3))
    rows = _block(path, lines, "position", int(first[0]), (0, 4))
    return Frame(
        atomic_numbers=rows[:, 0],
        positions=rows[:, 1:] @ cell,
        cell=cell,
        source=str(path),
        line=1,
    )


def _block(path: Path, lines: list[str], heading: str, n_rows: int, columns: tuple[int, int]) -> np.ndarray:
    """Parse the rows below the line that begins with `heading`."""
    first = next((i + 1 for i, line in enumerate(lines) if _is_heading(line, heading)), None)
    if first is None:
        raise DataFormatError(f"{path}: no '{heading.capitalize()}' block, expected one in PWmat's atom.config")
    rows = []
    for number in range(first, first + n_rows):
        words = lines[number].split()[slice(*columns)] if number < len(lines) else []
        try:
            row = [float(word) for word in words]
        except ValueError:
            row = []
        if len(row) != columns[1] - columns[0]:
            raise DataFormatError(
                f"{path} line {number + 1}: expected row {number - first + 1} of {n_rows} of the "
                f"'{heading.capitalize()}' block with {columns[1]} numbers; the file may be truncated"
            )
        rows.append(row)
    return np.array(rows)


def _read_with_ase(path: Path, format: str | None, elements: list[str] | None, notes: list[str]) -> Frame:
    import ase.io

    if format is not None and format not in ase.io.formats.ioformats:
        raise ConfigError(
            f"unknown structure format '{format}'; expected {PWMAT_CONFIG}, {', '.join(_ASE_NAMES)}, or a name of ASE's"
        )
    try:
        atoms = ase.io.read(path, index=-1, format=format)
    except Exception as error:  # ASE's readers raise anything on a malformed file
        reason = " ".join(str(error).split()) or "ASE gives no reason"
        raise DataFormatError(
            f"cannot read {path} as a structure ({type(error).__name__}: {reason}); the file may be truncated, or name "
            f"its format with --format, such as {PWMAT_CONFIG}, {', '.join(_ASE_NAMES)}"
        ) from error
    assert not isinstance(atoms, list)  # one index asks for one structure
    if elements is None and format == _LAMMPS_DATA:
        elements = elements_of_types(path, atoms.arrays["type"], notes)
    if elements is not None:
        _rename_types(atoms, elements, path)
    return Frame(
        atomic_numbers=atoms.numbers,
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=atoms.pbc,
        source=str(path),
    )


def _rename_types(atoms: Atoms, elements: list[str], path: Path) -> None:
    """Give LAMMPS types their elements; without names ASE keeps the types, or takes them for atomic numbers."""
    types = atoms.arrays.get("type", atoms.numbers)
    if types.min() < 1 or types.max() > len(elements):
        raise DataFormatError(
            f"{path} holds atom types {types.min()} to {types.max()}, but {len(elements)} elements were named; "
            "name one element for each LAMMPS type, in order"
        )
    atoms.numbers = np.array([atomic_number_of(symbol) for symbol in elements])[types - 1]
