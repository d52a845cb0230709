"""How far apart neighbouring frames of a trajectory are: frames drawn from it at random may be copies of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame

_PAIRS = 40  # looked at
_FURTHER = 10  # frames, between those that a trajectory has had time to leave
_NEAR = 0.3  # of the distance of such frames


@dataclass(frozen=True)
class Spacing:
    """Typical distances between frames of one trajectory: root mean square displacements of an atom, Å.

    Attributes:
        next: Of a frame and the next.
        further: Of a frame and the tenth after it.
    """

    next: float
    further: float

    @property
    def is_dense(self) -> bool:
        """Whether a frame says little that the next one does not say too."""
        return 0 < self.next < _NEAR * self.further

    def __str__(self) -> str:
        """Return both distances in words."""
        return f"{self.next:.2g} Å to the next, {self.further:.2g} Å to the {_FURTHER}th"


def spacing_of(frames: Sequence[Frame]) -> Spacing | None:
    """Return the medians over some frames that have followers in the same source with the same atoms.

    Args:
        frames: In the order of their sources.

    Returns:
        None where at most half of the frames looked at have such followers.
    """
    n_starts = max(0, len(frames) - _FURTHER)
    starts = np.unique(np.linspace(0, n_starts - 1, min(_PAIRS, n_starts)).astype(int))
    found = []
    for start in starts.tolist():
        first = frames[start]
        distances = [_distance(first, frames[start + step]) for step in (1, _FURTHER)]
        if None not in distances:
            found.append(distances)
    if 2 * len(found) <= len(starts):
        return None
    following, further = np.median(np.array(found, dtype=float), axis=0)
    return Spacing(float(following), float(further))


def describe_spacing(frames: Sequence[Frame], instead: str = "`valid_split` time") -> list[str]:
    """Say whether frames held out at random are near copies of training frames.

    Args:
        frames: In the order of their sources.
        instead: The option that holds out the ends of trajectories.
    """
    spacing = spacing_of(frames)
    if spacing is None or not spacing.is_dense:
        return []
    return [
        f"the frames follow each other closely ({spacing}): errors of validation frames drawn among them flatter the "
        f"model; {instead} holds out the ends of trajectories instead, and another run tells most"
    ]


def displacements(first: Frame, second: Frame) -> NDArray[np.float64] | None:
    """Return how far each atom has moved, [N, 3] Å, by nearest images; None where the atoms are others."""
    if not np.array_equal(first.atomic_numbers, second.atomic_numbers):
        return None
    moved = second.positions - first.positions
    if first.pbc.any():
        fractions = moved @ np.linalg.pinv(first.cell)
        moved = moved - np.where(first.pbc, np.round(fractions), 0.0) @ first.cell
    return moved


def _distance(first: Frame, second: Frame) -> float | None:
    """Return the root mean square displacement in Å, without drift; None for other atoms."""
    moved = displacements(first, second) if first.source == second.source else None
    if moved is None:
        return None
    moved = moved - moved.mean(0)
    return float(np.sqrt(np.square(moved).sum(1).mean()))
