"""Farthest-point selection of structures by what a model sees of their atoms.

An atom is as new as it is far from the nearest atom of its element that is known already, a structure as new as its
newest atom (a directed Hausdorff distance):

    novelty(A) = max_{i in A} min_{j known, Z_j = Z_i} |q_i - q_j|

with the descriptors q. The structure with the largest novelty is taken, its atoms are known then, and so on (Gonzalez,
Theor. Comput. Sci. 38, 293, 1985).

Letters: `n` atoms of an element, `D` length of the descriptor, `k` of its projection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.evaluate.evaluator import describe_frames
from pwmlff.models import Potential

_N_COMPONENTS = 16  # of descriptors, which hold nearly all of their variance
_N_SAMPLED = 200  # frames that tell which these are
_AT_ONCE = 10_000_000  # distances in memory


class Environments:
    """The atoms of structures in few numbers: principal components of their descriptors, for each element.

    Args:
        model: Describes the atoms.
        sample: Structures whose descriptors give the components; some of them, spread over all, are taken.

    Raises:
        DataFormatError: The model does not know an element, or atoms coincide.
        ModelFileError: The model has no descriptors.
    """

    def __init__(self, model: Potential, sample: Sequence[Frame]) -> None:
        self._model = model
        self._axes: dict[int, NDArray[np.float64]] = {}  # [D, k] of each element
        places = np.unique(np.linspace(0, len(sample) - 1, min(len(sample), _N_SAMPLED)).round().astype(np.int64))
        chosen = [sample[int(place)] for place in places]
        numbers = np.concatenate([frame.atomic_numbers for frame in chosen])
        descriptors = np.concatenate(list(describe_frames(model, chosen)))
        for number in np.unique(numbers).tolist():
            own = descriptors[numbers == number]
            covariance = np.cov(own, rowvar=False) if len(own) > 1 else np.eye(own.shape[1])
            self._axes[number] = np.linalg.eigh(np.atleast_2d(covariance))[1][:, ::-1][:, :_N_COMPONENTS]
        self._width = descriptors.shape[1]

    def of(self, frames: Sequence[Frame]) -> list[NDArray[np.float32]]:
        """Return the components [N, k] of the atoms of each structure."""
        results = []
        for frame, descriptors in zip(frames, describe_frames(self._model, frames), strict=True):
            components = np.zeros((len(frame), min(_N_COMPONENTS, self._width)), dtype=np.float32)
            for number in np.unique(frame.atomic_numbers).tolist():
                atoms = frame.atomic_numbers == number
                axes = self._axes.get(number)
                own = descriptors[atoms] if axes is None else descriptors[atoms] @ axes
                components[atoms] = own[:, : components.shape[1]]
            results.append(components)
        return results


def farthest_frames(
    environments: Environments,
    candidates: Sequence[Frame],
    n_wanted: int,
    *,
    known: Sequence[Frame] = (),
    first: int | None = None,
) -> list[tuple[int, float]]:
    """Choose structures that are far from each other and from those that are known.

    Args:
        environments: Describes atoms.
        candidates: To choose from.
        n_wanted: How many; fewer are chosen where the rest is like those chosen already.
        known: Structures that are known, such as the training data.
        first: The one to begin with where nothing is known; the one with the most unusual atom when None.

    Returns:
        Place and novelty of each structure chosen, in their order; the novelty is infinite where nothing of an element
        was known.
    """
    numbers = np.concatenate([frame.atomic_numbers for frame in candidates])
    owners = np.repeat(np.arange(len(candidates)), [len(frame) for frame in candidates])
    points = np.concatenate(environments.of(candidates))
    nearest = np.full(len(points), np.inf)
    if known:
        _learn(nearest, numbers, points, np.concatenate([f.atomic_numbers for f in known]), environments.of(known))
    chosen: list[tuple[int, float]] = []
    while len(chosen) < min(n_wanted, len(candidates)):
        novelty = np.full(len(candidates), -np.inf)
        np.maximum.at(novelty, owners, nearest)
        novelty[[place for place, _ in chosen]] = -np.inf
        if chosen or known:
            best = int(novelty.argmax())
        else:
            best = _most_unusual(numbers, owners, points) if first is None else first
        if novelty[best] <= 0:
            break
        chosen.append((best, float(novelty[best])))
        own = owners == best
        _learn(nearest, numbers, points, numbers[own], [points[own]])
    return chosen


def _learn(
    nearest: NDArray[np.float64],
    numbers: NDArray[np.int64],
    points: NDArray[np.float32],
    new_numbers: NDArray[np.int64],
    new_points: Sequence[NDArray[np.float32]],
) -> None:
    """Lower the distances to the nearest known atom of the same element by atoms that are known now."""
    learned = np.concatenate(new_points)
    for number in np.unique(new_numbers).tolist():
        atoms = np.flatnonzero(numbers == number)
        others = torch.from_numpy(learned[new_numbers == number])
        step = max(1, _AT_ONCE // len(others))
        for begin in range(0, len(atoms), step):
            some = atoms[begin : begin + step]
            distances = torch.cdist(torch.from_numpy(points[some]), others).amin(dim=1).numpy()
            nearest[some] = np.minimum(nearest[some], distances)


def _most_unusual(numbers: NDArray[np.int64], owners: NDArray[np.int64], points: NDArray[np.float32]) -> int:
    """Return the structure with the atom that is farthest from the mean of its element."""
    distances = np.zeros(len(points))
    for number in np.unique(numbers).tolist():
        own = numbers == number
        distances[own] = np.linalg.norm(points[own] - points[own].mean(axis=0), axis=1)
    return int(owners[distances.argmax()])
