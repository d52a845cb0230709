"""PWmat MOVEMENT: an own parser, because the file's own words mislead.

- `Force` holds +dE/dr, with and without "-force" in its header, so it is negated always.
- The energy is `Ep`, the second of `Etot,Ep,Ek`; it is found by its label.
- `nonperiodic_Position` is not `Position`: it lets atoms leave the cell; velocities are ignored.
- `stress (eV)` behind the lattice rows has one sign in PWmat's own files and the other in converted
  ones; `movement_stress` decides from the file.
- `Atomic-Energy` lacks a constant per element, so the missing energy is spread evenly over the atoms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.readers.common import Faults, check_last_number, parse_rows, place
from pwmlff.data.readers.movement_stress import MovementFrame, check_forces, decide_stress_sign, note_pressure
from pwmlff.data.text_files import reading_text
from pwmlff.errors import DataFormatError

_HEADER = re.compile(r"^\s*(\d+)\s+atoms\b", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][-+]?\d+)?"
_ENERGIES = re.compile(rf"((?:E\w*\s*,\s*)*E\w*)\s*(?:\(eV\))?\s*=((?:\s*{_NUMBER})+)")
_SECTIONS = ("lattice", "position", "force", "atomic-energy", "pressure internal", "velocity", "nonperiodic_position")
# frames looked at before the sign of the stress is decided; later frames are streamed
_DECIDE_ON = 256


@dataclass(frozen=True)
class _Block:
    """The lines of one frame and its place."""

    path: Path
    index: int
    line: int
    lines: list[str]

    def where(self, offset: int = 0) -> str:
        return place(self.path, self.index, self.line + offset)


def read_movement(path: Path, faults: Faults) -> Iterator[Frame]:
    """Read the frames of a MOVEMENT file.

    Args:
        path: The file.
        faults: What to do with faulty frames.

    Raises:
        DataFormatError: A frame is faulty.
    """
    frames = _parsed(path, faults)
    head = list(islice(frames, _DECIDE_ON))
    sign, reason = decide_stress_sign(head)
    if reason:
        faults.report.note(path, reason)
    for text in (check_forces(head), note_pressure(head, sign), _note_atomic_energies(head)):
        if text:
            faults.report.note(path, text)
    for parsed in chain(head, frames):
        if sign == 0 or parsed.stress is None:
            if parsed.stress is not None and not reason:
                faults.report.note(
                    path, f"no stress in the first {_DECIDE_ON} frames, so later stress blocks are dropped"
                )
            yield parsed.frame
        else:
            yield replace(parsed.frame, virial=sign * parsed.stress)


def _parsed(path: Path, faults: Faults) -> Iterator[MovementFrame]:
    for block in _split_frames(path):
        sections: dict[str, int] = {}
        frame = faults.attempt(_parse, block, sections, where=block.where())
        if frame is not None:
            yield _with_stress(block, sections, frame, faults)


def _split_frames(path: Path) -> Iterator[_Block]:
    start, index = 1, 0
    lines: list[str] = []
    with reading_text(path) as file:
        for number, line in enumerate(file, start=1):
            if "atoms" in line and _HEADER.match(line):
                if lines and _HEADER.match(lines[0]):
                    yield _Block(path, index, start, lines)
                    index += 1
                start, lines = number, []
            lines.append(line)
    if lines and _HEADER.match(lines[0]):
        yield _Block(path, index, start, lines)


def _parse(block: _Block, sections: dict[str, int]) -> Frame:
    header = _HEADER.match(block.lines[0])
    assert header is not None
    n_atoms = int(header[1])
    sections.update(_find_sections(block.lines))
    for name in ("lattice", "position", "force"):
        if name not in sections:
            raise DataFormatError(
                f"{block.where(len(block.lines) - 1)}: no `{name.capitalize()}` block; the file may be truncated"
            )
    cell = _rows(block, sections, "lattice", 3, 3)
    position = _rows(block, sections, "position", n_atoms, 4)
    energy = _potential_energy(block)
    force = _rows(block, sections, "force", n_atoms, 4)
    if not np.array_equal(force[:, 0], position[:, 0]):
        atom = int(np.flatnonzero(force[:, 0] != position[:, 0])[0])
        raise DataFormatError(
            f"{block.where(sections['force'] + 1 + atom)}: atom {atom} is element {force[atom, 0]:g} in `Force` "
            f"and {position[atom, 0]:g} in `Position`"
        )
    return Frame(
        atomic_numbers=position[:, 0],  # type: ignore[arg-type]  # refused where not whole
        positions=position[:, 1:] @ cell,
        cell=cell,
        energy=energy,
        forces=-force[:, 1:],
        atomic_energies=_atomic_energies(block, sections, n_atoms, energy),
        source=str(block.path),
        index=block.index,
        line=block.line,
    )


def _find_sections(lines: list[str]) -> dict[str, int]:
    """Line offset of each block's title; the exact word counts, so `nonperiodic_Position` is no `Position`."""
    offsets: dict[str, int] = {}
    for offset, line in enumerate(lines):
        title = line.lstrip()
        if title[:1].isalpha():
            lowered = title.lower()
            for name in _SECTIONS:
                if lowered.startswith(name):
                    offsets.setdefault(name, offset)
    return offsets


def _rows(block: _Block, sections: dict[str, int], name: str, n_rows: int, n_columns: int) -> NDArray[np.float64]:
    """Parse a block's rows; there must be exactly as many as the header says."""
    first = sections[name] + 1
    lines = block.lines[first : first + n_rows]
    n_found = next((k for k, line in enumerate(lines) if not _is_row(line)), len(lines))
    if n_found == n_rows and first + n_rows < len(block.lines) and _is_row(block.lines[first + n_rows]):
        n_found += 1
    if n_found != n_rows:
        problem = "more" if n_found > n_rows else n_found
        raise DataFormatError(
            f"{block.where(min(first + n_found, len(block.lines) - 1))}: block `{name.capitalize()}` has {problem} "
            f"rows, expected {n_rows}; the file may be truncated"
        )
    check_last_number(lines, block.where(first + n_rows - 1))
    if name == "lattice":
        lines = [line.split("stress")[0] for line in lines]
    return parse_rows(lines, n_columns, lambda k: block.where(first + k))


def _is_row(line: str) -> bool:
    start = line.lstrip()[:3]
    return bool(start) and not start.startswith("--") and (not start[0].isalpha() or start.lower() in ("nan", "inf"))


def _potential_energy(block: _Block) -> float:
    """Find the number under the label `Ep`; a relaxation writes `Etot` alone, which then is the potential energy."""
    for labels, numbers in _ENERGIES.findall(block.lines[0]):
        names = [label.strip().lower() for label in labels.split(",")]
        values = [float(value.lower().replace("d", "e")) for value in re.findall(_NUMBER, numbers)]
        name = "ep" if "ep" in names else "etot" if "ek" not in names and "etot" in names else None
        if name is not None and names.index(name) < len(values):
            return values[names.index(name)]
    raise DataFormatError(
        f"{block.where()}: no `Ep` in '{block.lines[0].strip()}'; expected '… Etot,Ep,Ek (eV) = number number number'"
    )


def _atomic_energies(
    block: _Block, sections: dict[str, int], n_atoms: int, energy: float
) -> NDArray[np.float64] | None:
    if "atomic-energy" not in sections:
        return None
    table = _rows(block, sections, "atomic-energy", n_atoms, 2)
    return table[:, 1] + (energy - table[:, 1].sum()) / n_atoms


def _note_atomic_energies(frames: list[MovementFrame]) -> str:
    mixed = [f for f in frames if f.frame.atomic_energies is not None and len(set(f.frame.atomic_numbers.tolist())) > 1]
    if not mixed:
        return ""
    return (
        "atomic energies lack a constant per element, which the file does not tell; the difference to Ep is spread "
        "evenly over the atoms, so they are consistent among files of one composition only"
    )


def _with_stress(block: _Block, sections: dict[str, int], frame: Frame, faults: Faults) -> MovementFrame:
    """Add what the decision on the stress sign needs."""
    first = sections["lattice"] + 1
    parts = [line.partition("stress") for line in block.lines[first : first + 3]]
    stress = pressure = None
    if all(part[1] for part in parts):
        stress = _matrix([part[2].rpartition(":")[2] for part in parts])
        if stress is None:
            faults.report.note(block.path, f"the stress of frame {block.index} is no 3 x 3 numbers: no virial there")
    if "pressure internal" in sections:
        begin = sections["pressure internal"] + 1
        pressure = _matrix(block.lines[begin : begin + 3])
    header = _ENERGIES.search(block.lines[0])
    kinetic = 0.0
    if header and "Ek" in header[1]:
        kinetic = float(re.findall(_NUMBER, header[2])[-1].lower().replace("d", "e"))
    native = {"velocity", "atomic-energy", "nonperiodic_position", "pressure internal"} & sections.keys()
    return MovementFrame(frame, stress, pressure, kinetic, bool(native))


def _matrix(lines: list[str]) -> NDArray[np.float64] | None:
    """Parse 3 x 3 numbers; None when they are not, for a damaged stress costs the label, not the frame."""
    try:
        matrix = np.array(" ".join(lines).split(), dtype=np.float64)
    except ValueError:
        return None
    return matrix.reshape(3, 3) if matrix.size == 9 and np.isfinite(matrix).all() else None
