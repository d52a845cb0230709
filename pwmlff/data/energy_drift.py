"""Trajectories whose energies drift away from what their own forces have done.

Along a trajectory with a fixed cell the energy changes by minus the work of the forces, whatever the method: forces are
its derivative. Calculations that stop their electronic loop early, or carry wave functions over from step to step,
break this slowly. A model with exactly these forces has the drift as an error of its energies.

The work is summed by the trapezoidal rule, and once more over every second frame: what the two differ by is
some three times the error of the first, which falls with the square of the step:

    E_n - E_0 = -W_n,    W_n = sum_k 1/2 sum_i (F_i,k + F_i,k+1) . (r_i,k+1 - r_i,k)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.data.spacing import displacements

_FEWEST = 20  # frames of a trajectory
_LARGEST_GAP = 3  # between the numbers of frames that follow each other; some may be held out
_LONGEST_STEP = 0.2  # Å, root mean square of an atom
_JUMP = 4.0  # times the mean step before
_SMALLEST_DRIFT = 1e-4  # eV/atom, root mean square
_CERTAINTY = 3.0  # times the error of the work


@dataclass(frozen=True)
class EnergyDrift:
    """What the energies of a trajectory have that its forces do not explain.

    Attributes:
        where: File and number of the first frame.
        n_frames: That follow each other.
        spread: Root mean square about the mean, eV/atom: the energy error of a model that has these forces, at least.
        change: From the first frame to the last, eV/atom.
    """

    where: str
    n_frames: int
    spread: float
    change: float


class EnergyDrifts:
    """Looks at frames in their order, and keeps two of them."""

    def __init__(self) -> None:
        self._found: list[EnergyDrift] = []
        self._run = _Trajectory()

    def add(self, frame: Frame) -> None:
        """Look at the next frame."""
        if not self._run.take(frame):
            self._found, self._run = self.found(), _Trajectory()
            self._run.take(frame)

    def found(self) -> list[EnergyDrift]:
        """Return the trajectories so far that drift."""
        drift = self._run.drift()
        return self._found if drift is None else [*self._found, drift]


@dataclass
class _Trajectory:
    """Frames that follow each other; energies and sums of work in eV/atom."""

    where: str = ""
    last: list[Frame] = field(default_factory=list)  # two at most
    path: float = 0.0  # Å, length of all steps
    energies: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)  # up to each frame
    coarse_work: list[float] = field(default_factory=list)  # up to every second frame

    def take(self, frame: Frame) -> bool:
        """Take in a frame, if it goes on where the last one was."""
        if frame.energy is None or frame.forces is None:
            return not self.last
        if not self.last:
            self.where = frame.where
            self.work, self.coarse_work = [0.0], [0.0]
        else:
            if not _follows(self.last[-1], frame):
                return False
            length, work = move(self.last[-1], frame)
            n_steps = len(self.work) - 1
            if length > _LONGEST_STEP or (n_steps > 0 and n_steps * length > _JUMP * self.path):
                return False
            self.path += length
            self.work.append(self.work[-1] + work)
            if len(self.work) % 2:
                self.coarse_work.append(self.coarse_work[-1] + move(self.last[-2], frame)[1])
        self.energies.append(frame.energy / len(frame))
        self.last = [*self.last[-1:], frame]
        return True

    def drift(self) -> EnergyDrift | None:
        """Return the drift; None where there is none, or none that is certain."""
        if len(self.energies) < _FEWEST:
            return None
        work = np.array(self.work)
        unexplained = np.array(self.energies) + work
        error = (np.array(self.coarse_work) - work[::2]).std()
        spread = unexplained.std()
        if spread < max(_SMALLEST_DRIFT, _CERTAINTY * error):
            return None
        return EnergyDrift(self.where, len(work), float(spread), float(unexplained[-1] - unexplained[0]))


def _follows(first: Frame, second: Frame) -> bool:
    """Whether the second frame can be a later one of the same trajectory with a fixed cell."""
    near = first.source == second.source and 0 < second.index - first.index <= _LARGEST_GAP
    same = (np.array_equal(a, b) for a, b in ((first.atomic_numbers, second.atomic_numbers), (first.cell, second.cell)))
    return near and all(same)


def move(first: Frame, second: Frame) -> tuple[float, float]:
    """Return the root mean square displacement, Å, and the work of the mean forces on the way, eV/atom."""
    moved = displacements(first, second)
    assert moved is not None
    assert first.forces is not None
    assert second.forces is not None
    work = 0.5 * float(np.sum((first.forces + second.forces) * moved)) / len(first)
    return float(np.sqrt(np.square(moved).sum(1).mean())), work
