"""One labelled structure, validated once.

Every reader ends in a `Frame`; everything behind it may rely on its shapes, finiteness and units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pwmlff.errors import DataFormatError

SHORTEST_DISTANCE = 1e-3  # Å; closer atoms are "at the same place"
_MAX_ATOMIC_NUMBER = 118
# Thinner or denser cells are damaged, and their pairs within any cutoff fill the memory.
_THINNEST_CELL = 0.1  # Å, between opposite faces
_SMALLEST_VOLUME = 0.01  # Å³ per atom; hydrogen in inertial fusion has some 0.02
# Bounds nothing that was calculated reaches; beyond them a number is damaged, a placeholder, or in another unit.
# Rounding of a coordinate of 1e6 Å is 1e-10 Å; all electrons of the heaviest element hold 1.4e6 eV; virials are
# `pressure * volume`, 1e6 eV/atom being some 1e4 GPa in a loose crystal.
_LARGEST = {
    "positions": (1e6, "Å"),
    "cell": (1e6, "Å"),
    "energy": (2e6, "eV/atom"),
    "forces": (1e6, "eV/Å"),
    "virial": (1e6, "eV/atom"),
    "atomic_energies": (2e6, "eV"),
}


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A structure with its labels; absent labels are None, never zero.

    Attributes:
        atomic_numbers: [N] int.
        positions: [N, 3] Å, Cartesian.
        cell: [3, 3] Å, rows are the cell vectors; zero rows where not periodic.
        pbc: [3] bool.
        energy: Potential energy, eV.
        forces: [N, 3] eV/Å.
        virial: [3, 3] eV, `-stress * volume`.
        atomic_energies: [N] eV.
        source: File the frame came from.
        index: Position of the frame in that file, from 0.
        line: First line of the frame in that file, from 1, where the format has lines.

    Raises:
        DataFormatError: A shape is wrong, a number is not finite or beyond all bounds, the cell has no volume, or an
            element is unknown.
    """

    atomic_numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]
    pbc: NDArray[np.bool_] = field(default_factory=lambda: np.ones(3, dtype=bool))
    energy: float | None = None
    forces: NDArray[np.float64] | None = None
    virial: NDArray[np.float64] | None = None
    atomic_energies: NDArray[np.float64] | None = None
    source: str = ""
    index: int = 0
    line: int | None = None

    def __post_init__(self) -> None:
        """Convert to arrays of the documented dtype and validate."""
        n_atoms = len(self.atomic_numbers)
        if n_atoms == 0:
            raise DataFormatError(f"{self.where} has no atoms")
        self._set("atomic_numbers", (n_atoms,), np.int64)
        self._set("pbc", (3,), np.bool_)
        shapes: dict[str, tuple[int, ...]] = {
            "positions": (n_atoms, 3),
            "cell": (3, 3),
            "forces": (n_atoms, 3),
            "virial": (3, 3),
            "atomic_energies": (n_atoms,),
        }
        for name, shape in shapes.items():
            if getattr(self, name) is not None:
                self._set(name, shape, np.float64)
        if self.energy is not None:
            object.__setattr__(self, "energy", float(self.energy))
            if not np.isfinite(self.energy):
                raise DataFormatError(f"{self.where}: `energy` is {self.energy}, expected a finite number")
        self._check_elements()
        self._check_bounds()
        self._check_cell()

    @property
    def where(self) -> str:
        """The frame's place for messages: file, frame, line."""
        line = f" (line {self.line})" if self.line is not None else ""
        return f"{self.source or 'structure'} frame {self.index}{line}"

    @property
    def volume(self) -> float:
        """Cell volume in Å^3; zero for a structure without a cell."""
        return float(abs(np.linalg.det(self.cell)))

    def __len__(self) -> int:
        """Number of atoms."""
        return len(self.atomic_numbers)

    def _set(self, name: str, shape: tuple[int, ...], dtype: type) -> None:
        try:
            given = np.asarray(getattr(self, name))
            with np.errstate(invalid="ignore"):  # what does not fit is not equal below
                value: NDArray[Any] = given.astype(dtype, copy=False)
        except (TypeError, ValueError):
            raise DataFormatError(f"{self.where}: `{name}` holds something that is no number") from None
        if dtype is np.int64 and given.dtype.kind == "f" and not np.array_equal(value, given):
            raise DataFormatError(f"{self.where}: `{name}` is not whole: {given[value != given][0]}")
        if value.shape != shape:
            raise DataFormatError(
                f"{self.where}: `{name}` has shape {value.shape}, expected {shape}; the file may be truncated"
            )
        if dtype is np.float64 and not np.isfinite(value).all():
            atom = int(np.argwhere(~np.isfinite(value))[0][0])
            raise DataFormatError(f"{self.where}: `{name}` row {atom} is {value[atom]}, expected finite numbers")
        object.__setattr__(self, name, value)

    def _check_elements(self) -> None:
        low, high = self.atomic_numbers.min(), self.atomic_numbers.max()
        if low < 1 or high > _MAX_ATOMIC_NUMBER:
            wrong = low if low < 1 else high
            raise DataFormatError(f"{self.where}: {wrong} is no atomic number, expected 1 to {_MAX_ATOMIC_NUMBER}")

    def _check_bounds(self) -> None:
        for name, (bound, unit) in _LARGEST.items():
            value = getattr(self, name)
            if value is None:
                continue
            size = np.abs(value) / (len(self) if unit == "eV/atom" else 1)
            if size.max() > bound:
                row = "" if size.ndim == 0 else f" row {np.unravel_index(int(size.argmax()), size.shape)[0]}"
                raise DataFormatError(
                    f"{self.where}: `{name}`{row} reaches {size.max():.4g} {unit}, expected at most {bound:g}; the "
                    "number is damaged, stands for a missing one, or is in another unit"
                )

    def _check_cell(self) -> None:
        periodic = self.cell[self.pbc]
        if len(periodic) == 0:
            return
        gram = np.linalg.det(periodic @ periodic.T)
        if gram <= 1e-6:
            raise DataFormatError(
                f"{self.where}: the cell spans no volume in its periodic directions (cell rows {self.cell.tolist()})"
            )
        thinnest = 1.0 / np.linalg.norm(np.linalg.pinv(periodic), axis=0).max()  # Å, between opposite faces
        if thinnest < _THINNEST_CELL:
            raise DataFormatError(
                f"{self.where}: the cell is {thinnest:.2g} Å thin, expected at least {_THINNEST_CELL:g} Å (cell rows "
                f"{self.cell.tolist()}); a cell skewed so much describes the same crystal when it is reduced"
            )
        if self.pbc.all() and self.volume < _SMALLEST_VOLUME * len(self):
            raise DataFormatError(
                f"{self.where}: the cell has {self.volume / len(self):.2g} Å³ per atom, expected at least "
                f"{_SMALLEST_VOLUME:g}; cell or number of atoms is damaged"
            )
