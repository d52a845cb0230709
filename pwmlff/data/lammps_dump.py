"""LAMMPS text dumps, frame by frame: `dump atom`, `dump custom` with coordinates, also gzipped.

Coordinates are the first of `x y z`, `xu yu zu` (unwrapped), `xs ys zs`, `xsu ysu zsu` (scaled) that the file has; Å.
Boxes: orthogonal, restricted triclinic (`xy xz yz`, whose bounds are those of the enclosing box), general triclinic
(`abc origin`). Elements: the column `element`, or the column `type` with names given by the user; atoms of types named
NULL, as in `pair_coeff`, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.text_files import decompressing, open_text, reading_text
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError, DataFormatError

_COORDINATES = {"": False, "u": False, "s": True, "su": True}  # tail of x, y, z -> whether they are scaled by the cell
_HEAD = 1 << 16  # characters
_ANGSTROM_UNITS = ("metal", "real")
_NULL = 0  # in place of an atomic number


def is_dump(path: Path) -> bool:
    """Whether the beginning of a file has a heading of LAMMPS's text dumps, if not in its first line."""
    with reading_text(path) as file:
        return re.search(r"^ITEM: ", file.read(_HEAD), re.M) is not None


def read_dump(path: Path, elements: Sequence[str] | None = None) -> Iterator[tuple[int, Frame]]:
    """Yield the time step and the structure of each frame; atoms are in the order of their ids.

    Args:
        path: The file.
        elements: Symbols of the types 1, 2, ..., or NULL; when None the column `element` is used.

    Raises:
        DataFormatError: The file is truncated or no dump, or lacks coordinates, types or a box.
        ConfigError: An element does not exist, or elements are needed and not given.
    """
    with closing(_DumpReader(path, elements)) as reader, decompressing(path):
        while (step_and_frame := reader.read_frame()) is not None:
            yield step_and_frame


@dataclass(frozen=True)
class _Box:
    """Cell [3, 3], origin [3] and periodicity [3]."""

    cell: NDArray[np.float64]
    origin: NDArray[np.float64]
    pbc: NDArray[np.bool_]


class _DumpReader:
    """One pass over a dump, counting frames and lines for messages."""

    def __init__(self, path: Path, elements: Sequence[str] | None) -> None:
        self.path = path
        self.numbers = None if elements is None else np.array([_number_or_null(symbol) for symbol in elements])
        self.file = open_text(path)
        self.line = 0
        self.index = -1

    def close(self) -> None:
        self.file.close()

    def read_frame(self) -> tuple[int, Frame] | None:
        """Read up to the end of the next block of atoms; None at the end of the file."""
        heading = self._next_heading()
        if heading is None:
            return None
        self.index += 1
        first_line = self.line
        step = n_atoms = box = None
        while not heading.startswith("ATOMS"):
            if heading == "TIMESTEP":
                step = int(self._numbers(1)[0])
            elif heading == "NUMBER OF ATOMS":
                n_atoms = int(self._numbers(1)[0])
            elif heading.startswith("BOX BOUNDS"):
                box = self._read_box(heading.split()[2:])
            elif heading == "UNITS":
                self._check_units(self._next_line().strip())
            else:  # TIME and what later versions may add have one line
                self._next_line()
            heading = self._next_heading()
            if heading is None:
                raise self._fault("the frame has no atoms; the file may be truncated")
        if step is None or n_atoms is None or box is None:
            missing = "TIMESTEP" if step is None else "NUMBER OF ATOMS" if n_atoms is None else "BOX BOUNDS"
            raise self._fault(f"expected 'ITEM: {missing}' before 'ITEM: ATOMS'")
        return step, self._read_atoms(heading.split()[1:], n_atoms, box, first_line)

    def _next_heading(self) -> str | None:
        for text in self.file:
            self.line += 1
            if text.startswith("ITEM:"):
                return text[5:].strip()
            if text.strip():
                raise self._fault(f"expected a line 'ITEM: ...', found '{text.strip()[:60]}'")
        return None

    def _next_line(self) -> str:
        text = self.file.readline()
        self.line += 1
        if not text:
            raise self._fault("the file ends within a frame; it may be truncated, or its run not finished")
        return text

    def _numbers(self, least: int) -> list[float]:
        text = self._next_line()
        try:
            values = [float(word) for word in text.split()]
        except ValueError:
            values = []
        if len(values) < least or not np.isfinite(values).all():
            raise self._fault(f"expected {least} number{'s' if least > 1 else ''}, found '{text.strip()[:60]}'")
        return values

    def _check_units(self, units: str) -> None:
        if units not in _ANGSTROM_UNITS:
            raise self._fault(f"the dump is in units {units}, expected metal or real (Å)")

    def _read_box(self, words: list[str]) -> _Box:
        is_general, is_triclinic = words[:1] == ["abc"], words[:1] == ["xy"]
        flags = words[-3:] if words and len(words[-1]) == 2 and words[-1] != "yz" else ["pp"] * 3  # old dumps have none
        pbc = np.array([flag == "pp" for flag in flags])
        width = 4 if is_general else 3 if is_triclinic else 2
        rows = np.array([self._numbers(width)[:width] for _ in range(3)])
        if is_general:
            return _Box(rows[:, :3], rows[:, 3], pbc)
        low, high = rows[:, 0].copy(), rows[:, 1].copy()
        xy, xz, yz = rows[:, 2] if is_triclinic else (0.0, 0.0, 0.0)
        low[0] -= min(0.0, xy, xz, xy + xz)
        high[0] -= max(0.0, xy, xz, xy + xz)
        low[1] -= min(0.0, yz)
        high[1] -= max(0.0, yz)
        cell = np.diag(high - low)
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
        return _Box(cell, low, pbc)

    def _read_atoms(self, columns: list[str], n_atoms: int, box: _Box, first_line: int) -> Frame:
        tail = next((tail for tail in _COORDINATES if {f"{axis}{tail}" for axis in "xyz"} <= set(columns)), None)
        if tail is None:
            raise self._fault(f"expected columns x y z, xu yu zu or xs ys zs, found {' '.join(columns)}")
        rows = [self._next_line().split() for _ in range(n_atoms)]
        short = next((k for k, row in enumerate(rows) if len(row) != len(columns)), None)
        if short is not None:
            self.line -= n_atoms - 1 - short
            raise self._fault(f"expected {len(columns)} columns, found {len(rows[short])}; the file may be truncated")
        table = {name: [row[k] for row in rows] for k, name in enumerate(columns)}
        positions = np.stack([self._floats(table, f"{axis}{tail}") for axis in "xyz"], axis=1)
        if _COORDINATES[tail]:
            positions = box.origin + positions @ box.cell
        numbers = self._atomic_numbers(table)
        order = np.argsort(self._floats(table, "id"), kind="stable") if "id" in table else np.arange(n_atoms)
        order = order[numbers[order] != _NULL]
        return Frame(
            atomic_numbers=numbers[order],
            positions=positions[order],
            cell=box.cell,
            pbc=box.pbc,
            source=str(self.path),
            index=self.index,
            line=first_line,
        )

    def _floats(self, table: dict[str, list[str]], name: str) -> NDArray[np.float64]:
        try:
            column = np.array(table[name], dtype=np.float64)
        except ValueError as error:
            raise self._fault(f"column {name} holds something that is no number ({error})") from error
        if not np.isfinite(column).all():
            raise self._fault(f"column {name} holds {column[~np.isfinite(column)][0]}, expected finite numbers")
        return column

    def _atomic_numbers(self, table: dict[str, list[str]]) -> NDArray[np.int64]:
        if self.numbers is None or "type" not in table:
            if "element" not in table:
                raise ConfigError(f"{self.path} names no elements; name those of types 1, 2, ... with --elements Cu,O")
            of = {symbol: atomic_number_of(symbol) for symbol in set(table["element"])}
            return np.array([of[symbol] for symbol in table["element"]], dtype=np.int64)
        types = self._floats(table, "type")
        if not np.array_equal(types, np.rint(types)):
            raise self._fault(f"type {types[types != np.rint(types)][0]:g} is not whole")
        if len(types) and (types.min() < 1 or types.max() > len(self.numbers)):
            raise self._fault(
                f"the frame holds types {types.min():g} to {types.max():g}, but {len(self.numbers)} elements were "
                "named; name one for each type, in order"
            )
        return self.numbers[types.astype(np.int64) - 1]

    def _fault(self, message: str) -> DataFormatError:
        return DataFormatError(f"{self.path} frame {self.index} (line {self.line}): {message}")


def _number_or_null(symbol: str) -> int:
    return _NULL if symbol == "NULL" else atomic_number_of(symbol)
