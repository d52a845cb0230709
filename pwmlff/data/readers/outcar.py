"""VASP OUTCAR: every converged ionic step computed from first principles.

Energy is the free energy TOTEN, whose derivative the forces are. The virial is the `Total` line in eV above `in kB`,
positive under compression, which is `-stress * volume` in ASE's sign. Steps whose electronic loop ended unconverged
at NELM are dropped, steps VASP's machine-learned force field predicted are not read, and both are counted. A file
that ends in the middle of a step gives its complete steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, parse_rows, place
from pwmlff.data.text_files import reading_text
from pwmlff.elements import atomic_number_of
from pwmlff.errors import ConfigError, DataFormatError
from pwmlff.units import EV_PER_A3_IN_KBAR

_ITERATION = re.compile(r"Iteration\s+(\d+)\(\s*(\d+)\)")
_FLOAT = re.compile(r"[-+]?\d+\.\d{5}|[-+]?\d+\.\d*(?:[Ee][-+]?\d+)?")  # columns may touch; they have five decimals
_FREE_ENERGY = re.compile(r"^\s*free  energy\s+TOTEN\s*=(.*)eV")
_SPECIES = re.compile(r"TITEL\s*=\s*\S+\s+([A-Z][a-z]?)")
_COUNT = re.compile(r"[0-9]{1,12}")
_NELM = re.compile(r"^\s*NELM\s*=\s*(\d+)")


@dataclass
class _Step:
    """One ionic step as far as it has been read."""

    index: int
    line: int = 0
    n_scf: int = 0
    converged: bool = False
    not_reached: bool = False
    cell: list[str] = field(default_factory=list)
    cell_line: int = 0
    table: list[str] = field(default_factory=list)
    table_line: int = 0
    energy: str = ""
    total: str = ""  # the stress in eV
    kbar: str = ""  # the stress in kB

    @property
    def is_started(self) -> bool:
        return self.n_scf > 0 or bool(self.table)


class _Parser:
    """Walks through the file once, line by line, and hands out each finished ionic step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.elements: list[str] = []
        self.counts: list[int] = []
        self.n_atoms = 0
        self.n_scf_max = 0
        self.n_predicted = 0
        self.ended = False
        self.step = _Step(0)
        self._stress_is_predicted = False

    def steps(self) -> Iterator[_Step]:
        """Yield finished steps; what is left in `step` afterwards is unfinished."""
        with reading_text(self.path) as file:
            lines = self._numbered(iter(file))
            for line in lines:
                if self._read_line(line, lines):
                    yield self.step
                    # a fixed cell need not be printed again
                    self.step = _Step(self.step.index + 1, cell=self.step.cell, cell_line=self.step.cell_line)

    def atomic_numbers(self) -> NDArray[np.int64]:
        """Element of each atom, from the POTCAR titles and the counts.

        Raises:
            DataFormatError: The head of the file is incomplete or contradicts itself.
        """
        if not self.counts or len(self.elements) != len(self.counts):
            raise DataFormatError(
                f"{self.path}: {len(self.elements)} POTCAR titles and {len(self.counts)} 'ions per type', expected as "
                "many of each; the head of the file is damaged"
            )
        try:
            return np.repeat([atomic_number_of(name) for name in self.elements], self.counts)
        except ConfigError as error:
            raise DataFormatError(f"{self.path}: {error}") from None

    def _numbered(self, file: Iterator[str]) -> Iterator[str]:
        for line in file:
            self.number += 1
            yield line

    def _read_line(self, line: str, lines: Iterator[str]) -> bool:
        """Take in a line; True when it finishes an ionic step."""
        step = self.step
        if "Iteration" in line and (match := _ITERATION.search(line)):
            step.line = step.line or self.number
            step.n_scf = int(match[2])
        elif "aborting loop" in line:
            step.not_reached = "not reached" in line
            step.converged = "EDIFF is reached" in line
        elif "FORCE on cell" in line:
            self._stress_is_predicted = "ML FORCE" in line
        elif "in kB" in line and not self._stress_is_predicted:
            step.kbar = line.partition("in kB")[2]
        elif line.startswith("  Total ") and not self._stress_is_predicted:
            step.total = line.partition("Total")[2]
        elif "direct lattice vectors" in line:
            step.cell_line = self.number + 1
            step.cell = [next(lines, "") for _ in range(3)]
        elif "TOTAL-FORCE (eV/Angst)" in line:
            self._read_table(line, lines)
        elif match := _FREE_ENERGY.match(line):
            step.energy = match[1]
            return bool(step.table)
        elif "General timing and accounting" in line:
            self.ended = True
        elif not self.n_atoms or not self.counts or "NELM" in line or "TITEL" in line:
            self._read_head(line, lines)
        return False

    def _read_head(self, line: str, lines: Iterator[str]) -> None:
        if match := _SPECIES.search(line):
            self.elements.append(match[1])
        elif "NIONS =" in line:
            self.n_atoms = self._integers(line.rpartition("=")[2], "NIONS")[0]
        elif "ions per type =" in line:
            self.counts = self._integers(line.partition("=")[2], "ions per type")
            # more than ten species continue on the next lines
            while sum(self.counts) < self.n_atoms:
                words = next(lines, "").split()
                if not words or not all(_COUNT.fullmatch(word) for word in words):
                    break
                self.counts += [int(word) for word in words]
        elif match := _NELM.match(line):
            self.n_scf_max = int(match[1])

    def _integers(self, text: str, name: str) -> list[int]:
        words = text.split()
        if not words or not all(_COUNT.fullmatch(word) for word in words):
            raise DataFormatError(
                f"{self.path} (line {self.number}): {name} is '{text.strip()[:60]}', expected numbers of atoms"
            )
        return [int(word) for word in words]

    def _read_table(self, title: str, lines: Iterator[str]) -> None:
        next(lines, "")  # dashes
        first, rows = self.number + 1, []
        for line in lines:
            if line.lstrip().startswith("---"):
                break
            rows.append(line)
        else:
            return  # the file ends inside the table
        if "(ML)" in title:
            self.n_predicted += 1
        else:
            self.step.table, self.step.table_line = rows, first


def read_outcar(path: Path, faults: Faults) -> Iterator[Frame]:
    """Read the ionic steps of an OUTCAR.

    Args:
        path: The file.
        faults: What to do with faulty frames.

    Raises:
        DataFormatError: The head of the file is damaged, or a step is faulty.
    """
    parser = _Parser(path)
    n_unconverged = n_complete = 0
    for step in parser.steps():
        n_complete += 1
        if step.not_reached or (not step.converged and 0 < parser.n_scf_max <= step.n_scf):
            n_unconverged += 1
            continue
        frame = faults.attempt(_frame, parser, step, faults, where=place(path, step.index, step.line))
        if frame is not None:
            yield frame
    if n_unconverged:
        faults.report.note(
            path, f"{n_unconverged} of {n_complete} ionic steps dropped: not converged within NELM steps"
        )
    if parser.n_predicted:
        faults.report.note(path, f"{parser.n_predicted} steps predicted by VASP's machine-learned force field not read")
    if not parser.ended:
        inside = f"in the middle of ionic step {n_complete + 1}" if parser.step.is_started else "without its summary"
        faults.report.note(
            path, f"interrupted: the file ends at line {parser.number} {inside}; {n_complete} complete steps before it"
        )


def _frame(parser: _Parser, step: _Step, faults: Faults) -> Frame:
    path, where = parser.path, place(parser.path, step.index, step.table_line)
    if len(step.table) != sum(parser.counts):
        raise DataFormatError(f"{where}: {len(step.table)} rows of forces, expected {sum(parser.counts)}")
    numbers = parser.atomic_numbers()
    if not step.cell:
        raise DataFormatError(f"{where}: no lattice vectors before this step")
    cell = parse_rows(step.cell, 3, lambda k: place(path, step.index, step.cell_line + k))
    table = parse_rows(step.table, 6, lambda k: place(path, step.index, step.table_line + k))
    try:
        energy = float(step.energy)
    except ValueError:
        raise DataFormatError(f"{where}: the free energy TOTEN is '{step.energy.strip()}'") from None
    return Frame(
        atomic_numbers=numbers,
        positions=table[:, :3],
        cell=cell,
        energy=energy,
        forces=table[:, 3:],
        virial=_virial(step, float(abs(np.linalg.det(cell))), path, faults),
        source=str(path),
        index=step.index,
        line=step.line or step.table_line,
    )


def _virial(step: _Step, volume: float, path: Path, faults: Faults) -> NDArray[np.float64] | None:
    """The virial in eV from the order xx yy zz xy yz zx."""
    values = [float(word) for word in _FLOAT.findall(step.total)]
    if len(values) != 6:
        values = [float(word) * volume / EV_PER_A3_IN_KBAR for word in _FLOAT.findall(step.kbar)]
    if len(values) != 6:
        if step.total or step.kbar:
            text = " ".join((step.kbar or step.total).split())[:60]
            faults.report.note(path, f"the stress of step {step.index} is '{text}', not six numbers: no virial there")
        return None
    xx, yy, zz, xy, yz, zx = values
    return np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
