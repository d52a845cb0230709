"""Frames that can be read and look wrong all the same: near contacts, huge forces, energies that are odd or drift.

All commands that take in data let its frames pass through a `SuspectFrames` and print its notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pwmlff.data.energy_drift import EnergyDrifts
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import nearest_pair
from pwmlff.data.outliers import Composition, composition_of, energy_outliers
from pwmlff.elements import symbol_of

_CLOSE_CONTACT = 0.5  # Å; the shortest bond, of H2, has 0.74 Å
_HUGE_FORCE = 100.0  # eV/Å


class SuspectFrames:
    """Looks at frames one by one, in the order of their files; holds scalars of each, and the last two frames.

    Attributes:
        places: File, frame and line of each frame.
        compositions: Of each frame.
        energies: Of each frame, eV/atom, NaN where it has none.
        largest_forces: Of each frame, eV/Å, NaN where it has none.
    """

    def __init__(self) -> None:
        self.places: list[str] = []
        self.compositions: list[Composition] = []
        self.energies: list[float] = []
        self.largest_forces: list[float] = []
        self._contacts, self._strong = _Tally(), _Tally()
        self._drifts = EnergyDrifts()
        self._same: dict[Composition, Composition] = {}  # each composition is kept once

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Hand on frames, and look at each that passes by."""
        for frame in frames:
            self.add(frame)
            yield frame

    def add(self, frame: Frame) -> None:
        """Look at a frame.

        Raises:
            DataFormatError: Two of its atoms are at the same place.
        """
        self.places.append(frame.where)
        composition = composition_of(frame)
        self.compositions.append(self._same.setdefault(composition, composition))
        self.energies.append(np.nan if frame.energy is None else frame.energy / len(frame))
        self._drifts.add(frame)
        largest = np.nan
        if frame.forces is not None:
            largest = float(np.sqrt(np.einsum("ac,ac->a", frame.forces, frame.forces).max()))
        self.largest_forces.append(largest)
        if largest > _HUGE_FORCE:
            self._strong.count(f"{frame.where}: {largest:.4g} eV/Å")
        nearest = nearest_pair(frame)
        if nearest is not None and nearest[2] < _CLOSE_CONTACT:
            a, b = (symbol_of(int(frame.atomic_numbers[atom])) for atom in nearest[:2])
            self._contacts.count(f"{frame.where}: {a} and {b}, {nearest[2]:.3f} Å")

    def warnings(self) -> list[str]:
        """Say what has close contacts, huge forces and drifting energies, how many of them, and which are the first."""
        lines = []
        if self._contacts.n:
            lines.append(
                f"{self._contacts.frames} atoms nearer than {_CLOSE_CONTACT:g} Å, first {self._contacts.first}; "
                "no bond is shorter than 0.7 Å"
            )
        if self._strong.n:
            lines.append(
                f"{self._strong.frames} forces above {_HUGE_FORCE:g} eV/Å, first {self._strong.first}; "
                "they outweigh all others in training"
            )
        if drifts := self._drifts.found():
            worst = max(drifts, key=lambda drift: drift.spread)
            runs = "trajectory" if len(drifts) == 1 else "trajectories"
            lines.append(
                f"energies of {len(drifts)} {runs} drift away from the work of the forces, most from {worst.where} on: "
                f"{1e3 * worst.spread:.2g} meV/atom about the mean of {worst.n_frames} frames, "
                f"{1e3 * worst.change:+.2g} from first to last; a model with these forces has at least this error in "
                "its energies; was the electronic loop converged?"
            )
        return lines

    def notes(self) -> list[str]:
        """Return the warnings, and a line on frames whose energies are far from those of the others."""
        outliers = energy_outliers(np.array(self.energies), self.compositions)
        if not outliers:
            return self.warnings()
        first, text = next(iter(outliers.items()))
        odd = _Tally(len(outliers), f"{self.places[first]}: {text}")
        return [*self.warnings(), f"{odd.frames} an energy far from the others, first {odd.first}"]


@dataclass
class _Tally:
    """How many frames are suspect for a reason, and what the first of them is."""

    n: int = 0
    first: str = ""

    def count(self, text: str) -> None:
        """Add a frame."""
        self.n += 1
        self.first = self.first or text

    @property
    def frames(self) -> str:
        """The beginning of a sentence."""
        return "1 frame has" if self.n == 1 else f"{self.n} frames have"
