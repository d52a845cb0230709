"""Data of n2p2 and RuNNer (`input.data`).

There is one block for each structure:

    begin
    comment anything
    lattice ax ay az                       three times, the cell vectors; no such line where nothing is periodic
    atom x y z element charge 0 fx fy fz   for each atom; charge and the number behind it are not taken
    energy E                               of the structure; absent where it is not known
    charge Q                               not taken
    end

The file does not tell its units: its format is `n2p2/input.data` for Å and eV, and `runner/input.data` for the Bohr and
Hartree of RuNNer's own data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, parse_rows, place
from pwmlff.data.text_files import reading_text
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError, DataFormatError
from pwmlff.units import BOHR, HARTREE

_ATOM = "atom x y z element charge 0 fx fy fz"
_COUNTS = {"lattice": 3, "energy": 1, "charge": 1}  # numbers behind a keyword
_KEYWORDS = ("begin", "comment", "lattice", "atom", "energy", "charge", "end")


def read_n2p2_data(path: Path, faults: Faults) -> Iterator[Frame]:
    """Read structures in Å and eV.

    Args:
        path: The file.
        faults: What to do with faulty frames.

    Raises:
        DataFormatError: A frame is faulty.
    """
    faults.report.note(path, "taken as Å and eV (n2p2/input.data); runner/input.data takes Bohr and Hartree")
    yield from _read(path, faults, length=1.0, energy=1.0)


def read_runner_data(path: Path, faults: Faults) -> Iterator[Frame]:
    """Read structures in Bohr and Hartree; arguments and errors are those of `read_n2p2_data`."""
    faults.report.note(path, "taken as Bohr and Hartree (runner/input.data); n2p2/input.data takes Å and eV")
    yield from _read(path, faults, length=BOHR, energy=HARTREE)


@dataclass
class _Block:
    """The lines of a structure, without `begin` and `end`.

    Attributes:
        line: Of `begin`, from 1.
        lines: With their numbers.
        fault: What is wrong with the block as a whole.
    """

    line: int
    lines: list[tuple[int, str]] = field(default_factory=list)
    fault: str = ""


def _read(path: Path, faults: Faults, *, length: float, energy: float) -> Iterator[Frame]:
    for index, block in enumerate(_blocks(path)):
        where = place(path, index, block.line)
        frame = faults.attempt(_parse, path, index, block, length, energy, where=where)
        if frame is not None:
            yield frame


def _blocks(path: Path) -> Iterator[_Block]:
    """Cut the file at `begin` and `end`; what stands elsewhere makes a faulty block, once until the next `begin`."""
    block: _Block | None = None
    is_lost = False
    with reading_text(path) as file:
        for number, line in enumerate(file, start=1):
            word = line.split(maxsplit=1)[0] if line.strip() else ""
            if word == "begin":
                if block is not None:
                    block.fault = f"line {number} begins another structure, expected `end` before"
                    yield block
                block, is_lost = _Block(number), False
            elif block is None:
                if word and not is_lost:
                    is_lost = True
                    yield _Block(number, fault=f"expected `begin`, found '{line.strip()[:60]}'")
            elif word == "end":
                yield block
                block = None
            elif word:
                block.lines.append((number, line))
    if block is not None:
        block.fault = "the file ends before the `end` of the structure; it is truncated"
        yield block


def _parse(path: Path, index: int, block: _Block, length: float, energy: float) -> Frame:
    if block.fault:
        raise DataFormatError(f"{place(path, index, block.line)}: {block.fault}")
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in _KEYWORDS}
    for number, line in block.lines:
        keyword, *rest = line.split(maxsplit=1)
        if keyword not in found:
            raise DataFormatError(
                f"{place(path, index, number)}: `{keyword[:60]}` is no keyword of input.data, "
                f"expected one of {', '.join(_KEYWORDS)}"
            )
        found[keyword].append((number, rest[0] if rest else ""))
    values: dict[str, list[np.ndarray]] = {}
    for name, count in _COUNTS.items():
        values[name] = [_numbers(rest.split(), count, name, place(path, index, number)) for number, rest in found[name]]
        if len(values[name]) not in ((0, 3) if name == "lattice" else (0, 1)):
            expected = "three lines, or none of a molecule" if name == "lattice" else "one line"
            raise DataFormatError(
                f"{place(path, index, block.line)}: {len(values[name])} lines `{name}`, expected {expected}"
            )
    if not found["atom"]:
        raise DataFormatError(f"{place(path, index, block.line)}: the structure has no line `{_ATOM}`")
    symbols, table = _atoms(path, index, found["atom"])
    is_periodic = bool(values["lattice"])
    return Frame(
        atomic_numbers=symbols,
        positions=table[:, :3] * length,
        cell=np.array(values["lattice"]) * length if is_periodic else np.zeros((3, 3)),
        pbc=np.full(3, is_periodic),
        energy=float(values["energy"][0][0]) * energy if values["energy"] else None,
        forces=table[:, 5:] * (energy / length),
        source=str(path),
        index=index,
        line=block.line,
    )


def _atoms(path: Path, index: int, lines: list[tuple[int, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the elements [N] and the numbers of each atom [N, 8]: position, charge, another, forces."""
    numbers, rows = [], []
    for number, rest in lines:
        words = rest.split()
        if len(words) != 9:
            raise DataFormatError(
                f"{place(path, index, number)}: expected `{_ATOM}`, found {len(words)} values in "
                f"'atom {rest.strip()[:60]}'"
            )
        try:
            numbers.append(atomic_number_of(words.pop(3)))
        except ConfigError as error:
            raise DataFormatError(f"{place(path, index, number)}: {error}") from None
        rows.append(" ".join(words))
    return np.array(numbers), parse_rows(rows, 8, lambda k: place(path, index, lines[k][0]))


def _numbers(words: list[str], count: int, name: str, where: str) -> np.ndarray:
    if len(words) != count:
        noun = "number" if count == 1 else "numbers"
        raise DataFormatError(f"{where}: expected `{name}` and {count} {noun}, found {len(words)}")
    return parse_rows([" ".join(words)], count, lambda _: where)[0]
