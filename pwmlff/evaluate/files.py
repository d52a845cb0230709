"""The text files of PWMLFF's `test_result/`, written frame by frame.

| file | one row per | row |
|---|---|---|
| `image_atom_nums.txt` | frame | number of atoms |
| `*_total_energy.txt` | frame | eV |
| `*_force.txt` | atom | x y z, eV/Å |
| `*_virial.txt` | frame | xx xy xz yx yy yz zx zy zz, eV |
| `*_atomic_energy.txt` | frame | one value per atom, eV |

`dft_` holds labels, `inference_` predictions; rows of both correspond. A missing virial is nine times -1e6, as PWMLFF
writes it; any other missing label is `nan`.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np

from pwmlff.evaluate.evaluator import FrameResult

MISSING_VIRIAL = -1e6  # eV, what PWMLFF's own plot scripts look for
_QUANTITIES = ("total_energy", "force", "virial", "atomic_energy")
_NAMES = ("image_atom_nums", *(f"{kind}_{quantity}" for kind in ("dft", "inference") for quantity in _QUANTITIES))
TEXT_FILES = tuple(f"{name}.txt" for name in _NAMES)


class ResultFiles:
    """Writes the label and prediction files; use as a context manager.

    Args:
        folder: Created when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._files: dict[str, TextIO] = {}

    def __enter__(self) -> ResultFiles:
        """Open all files, replacing those of an earlier test."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in _NAMES:
            path = self.folder / f"{name}.txt"
            self._files[name] = self._stack.enter_context(path.open("w", encoding="utf-8"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all files."""
        self._stack.close()

    def add(self, result: FrameResult) -> None:
        """Append one frame."""
        frame, n_atoms = result.frame, len(result.frame)
        self._files["image_atom_nums"].write(f"{n_atoms}\n")
        energy = np.nan if frame.energy is None else frame.energy
        forces = np.full((n_atoms, 3), np.nan) if frame.forces is None else frame.forces
        virial = np.full((3, 3), MISSING_VIRIAL) if frame.virial is None else frame.virial
        atomic = np.full(n_atoms, np.nan) if frame.atomic_energies is None else frame.atomic_energies
        self._add("dft", energy, forces, virial, atomic)
        self._add("inference", result.energy, result.forces, result.virial, result.atomic_energies)

    def _add(self, kind: str, energy: float, forces: np.ndarray, virial: np.ndarray, atomic: np.ndarray) -> None:
        self._write(f"{kind}_total_energy", np.array([[energy]]))
        self._write(f"{kind}_force", forces)
        self._write(f"{kind}_virial", virial.reshape(1, 9))
        self._write(f"{kind}_atomic_energy", atomic.reshape(1, -1))

    def _write(self, name: str, rows: np.ndarray) -> None:
        # 12 digits: a total energy of 1e5 eV keeps its 0.1 µeV
        np.savetxt(self._files[name], rows, fmt="%.12g")
