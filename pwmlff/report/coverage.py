"""The section on coverage: whether the atoms of test frames are like atoms of the training frames.

An atom is described by its neighbours, whatever the model is made of. With radial functions g_n(r) that fade at the
radius R, and the unit vectors u of the neighbours of type t,

    A_nt = sum g_n        v_nt = sum g_n u        Q_nt = sum g_n (u u^T - 1/3)

its features are A, |v| and |Q| (Frobenius): density, polarity and the first anisotropy of every shell. They do not
change when the structure is turned or its atoms are renamed. Each is divided by its spread over the training atoms of
the same element, and the distance of an atom is that to the nearest training atom of its element. It is told in units
of the distance that 99 % of the training atoms keep to the nearest one of a frame that is not theirs, nor one of its
neighbours in time.

Letters: `N` atoms, `D` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.elements import size_of, symbol_of
from pwmlff.report import figures, limits
from pwmlff.report.inputs import Subject
from pwmlff.report.residuals import Residuals
from pwmlff.report.section import Note, Picture, Section, Table
from pwmlff.report.verdict import Grade

_RADIUS = 6.0  # Å, at most
_N_RADIAL = 6
_MOST_TYPES = 6  # neighbours are told apart by element up to so many, beyond it by covalent radius
_MOST_REFERENCE = 20_000  # training atoms of an element
_MOST_OWN = 2_000  # training atoms that are compared with the others
_NEAR_IN_TIME = 3  # frames
_QUANTILE = 0.99
_CHUNK = 500


@dataclass(frozen=True)
class Reference:
    """The training atoms of an element.

    Attributes:
        scale: [D] what features are divided by.
        features: [N, D] divided.
        frames: [N] frame of each.
        unit: The distance that counts as 1.
        own: Distances of training atoms to others, in units of it.
    """

    scale: NDArray[np.float64]
    features: NDArray[np.float64]
    frames: NDArray[np.int64]
    unit: float
    own: NDArray[np.float64]


class Coverage:
    """The atoms of training frames, to be compared with others.

    Args:
        frames: Training frames, in the order of time where they have one.
        elements: All elements of the model.
        cutoff: Of the model, Å.
    """

    def __init__(self, frames: Sequence[Frame], elements: Sequence[str], cutoff: float) -> None:
        self.radius = min(cutoff, _RADIUS)
        self._elements = list(elements)
        parts = [self._features(frame) for frame in frames]
        numbers = np.concatenate([frame.atomic_numbers for frame in frames])
        owners = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
        features = np.concatenate(parts)
        self.references = {
            int(number): _reference(features[numbers == number], owners[numbers == number])
            for number in np.unique(numbers)
        }

    def distances(self, frame: Frame) -> NDArray[np.float64]:
        """Return the distance of each atom to the nearest training atom of its element, [N]; inf without any.

        Above 1 an atom is outside.
        """
        features = self._features(frame)
        result = np.full(len(frame), np.inf)
        for number, reference in self.references.items():
            chosen = frame.atomic_numbers == number
            if chosen.any():
                scaled = features[chosen] / reference.scale
                result[chosen] = _nearest(scaled, reference.features) / reference.unit
        return result

    def _features(self, frame: Frame) -> NDArray[np.float64]:
        return atomic_features(frame, self._elements, self.radius)


def atomic_features(frame: Frame, elements: Sequence[str], radius: float) -> NDArray[np.float64]:
    """Return the features of all atoms, [N, D].

    Args:
        frame: The structure.
        elements: Those neighbours are told apart by.
        radius: Within which neighbours count, Å.
    """
    neighbors = neighbor_list(frame, radius)
    distances = np.linalg.norm(neighbors.pair_vectors, axis=1)
    units = neighbors.pair_vectors / distances[:, None]
    centres = np.linspace(0.25 * radius, radius, _N_RADIAL)
    width = centres[1] - centres[0]
    fade = 0.5 * (1 + np.cos(np.pi * distances / radius))
    shells = np.exp(-(((distances[:, None] - centres) / width) ** 2)) * fade[:, None]  # [E, n]
    weights = _weights(frame.atomic_numbers[neighbors.pair_neighbors], elements)  # [E, t]
    functions = (shells[:, :, None] * weights[:, None, :]).reshape(
        len(distances), shells.shape[1] * weights.shape[1]
    )  # [E, nt]
    tensors = units[:, :, None] * units[:, None, :] - np.eye(3) / 3
    per_pair = np.concatenate([np.ones((len(units), 1)), units, tensors.reshape(-1, 9)], axis=1)  # [E, 1 + 3 + 9]
    sums = np.zeros((len(frame), functions.shape[1], 13))
    for atom in range(len(frame)):
        own = slice(neighbors.pair_start[atom], neighbors.pair_start[atom + 1])
        sums[atom] = functions[own].T @ per_pair[own]
    norms = [sums[..., 0], np.linalg.norm(sums[..., 1:4], axis=-1), np.linalg.norm(sums[..., 4:], axis=-1)]
    return np.concatenate(norms, axis=1)


def _weights(numbers: NDArray[np.int64], elements: Sequence[str]) -> NDArray[np.float64]:
    """Return the channels that each neighbour counts in, [E, t]."""
    symbols = [symbol_of(int(number)) for number in range(1, 119)]
    if len(elements) <= _MOST_TYPES:
        table = np.array([[symbol == element for element in elements] for symbol in symbols], dtype=float)
    else:
        table = np.array([[1.0, size_of(symbol) if symbol in elements else 1.0] for symbol in symbols])
    return table[numbers - 1]


def _reference(features: NDArray[np.float64], owners: NDArray[np.int64]) -> Reference:
    spread = features.std(axis=0)
    size = np.sqrt(np.square(features).mean(axis=0))
    # what does not vary in the training data has no scale of its own
    scale = np.maximum(spread, 0.01 * size + 1e-3 * size.max() + 1e-12)
    scaled = features / scale
    chosen = _evenly(len(scaled), _MOST_REFERENCE)
    scaled, owners = scaled[chosen], owners[chosen]
    own = _evenly(len(scaled), _MOST_OWN)
    distances = _nearest(scaled[own], scaled, owners[own], owners)
    finite = distances[np.isfinite(distances)]
    unit = float(np.quantile(finite, _QUANTILE)) if len(finite) else 1.0
    unit = unit if unit > 0 else 1.0
    return Reference(scale, scaled, owners, unit, finite / unit)


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def _nearest(
    queries: NDArray[np.float64],
    others: NDArray[np.float64],
    query_owners: NDArray[np.int64] | None = None,
    owners: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return the distance of each query to the nearest other; inf where all are of frames that do not count."""
    result = np.empty(len(queries))
    squares = np.square(others).sum(axis=1)
    for first in range(0, len(queries), _CHUNK):
        part = queries[first : first + _CHUNK]
        squared = squares - 2 * part @ others.T + np.square(part).sum(axis=1)[:, None]
        if query_owners is not None and owners is not None:
            near = np.abs(query_owners[first : first + _CHUNK, None] - owners) <= _NEAR_IN_TIME
            squared[near] = np.inf
        result[first : first + _CHUNK] = np.sqrt(np.maximum(squared.min(axis=1), 0.0))
    return result


def coverage_section(subject: Subject, test: Residuals | None) -> tuple[Section, Coverage | None]:
    """Compare test atoms with training atoms; also returns what other structures can be compared with."""
    section = Section("coverage", "Coverage", "Whether the atoms of test frames are like those of training frames.")
    section.limits = [limits.OUTSIDE]
    if len(subject.train) == 0:
        section.find(Grade.GREY, "The training frames are not known; name them with --train.")
        return section, None
    coverage = Coverage(subject.train.frames, subject.potential.elements, subject.potential.cutoff)
    if test is None:
        section.find(Grade.GREY, "There are no test frames to compare with the training frames.")
        return section, coverage
    per_frame = [coverage.distances(frame) for frame in subject.test.frames]
    distances = np.concatenate(per_frame)
    outside = 100 * float((distances > 1).mean())
    tail = {
        Grade.GREEN: "the training frames cover the test frames",
        Grade.AMBER: "the model extrapolates on a part of the test frames",
        Grade.RED: "the model extrapolates on the test frames: train on frames like these",
    }[limits.OUTSIDE.grade(outside)]
    section.find(
        limits.OUTSIDE.grade(outside),
        f"{outside:.3g} % of {len(distances)} test atoms are unlike all training atoms (1 % is expected); {tail}.",
    )
    errors = [
        np.linalg.norm(result.forces - result.frame.forces, axis=1)
        if result.frame.forces is not None
        else np.full(len(result.frame), np.nan)
        for result in test.results
    ]
    own = np.concatenate([reference.own for reference in coverage.references.values()])
    finite = np.isfinite(distances)
    svg = figures.coverage(own, distances[finite], np.concatenate(errors)[finite])
    section.blocks.append(
        Picture(
            svg,
            "Left: distance to the nearest training atom, of training atoms (other frames) and test atoms; 1 is what "
            "99 % of training atoms keep. Right: force errors of test atoms over it.",
        )
    )
    table = _table(subject, per_frame)
    if table is not None:
        section.blocks.append(table)
    section.blocks.append(
        Note("Atoms are compared by their neighbours: density, polarity and anisotropy of shells, by element.")
    )
    section.numbers = {"outside_percent": outside, "n_atoms": len(distances)}
    return section, coverage


def _table(subject: Subject, per_frame: Sequence[NDArray[np.float64]]) -> Table | None:
    groups: dict[str, list[NDArray[np.float64]]] = {}
    for tag, distances in zip(subject.test.tags, per_frame, strict=True):
        groups.setdefault(tag.config_type, []).append(distances)
    if len(groups) < 2:
        return None
    outside = {name: 100 * float((np.concatenate(parts) > 1).mean()) for name, parts in groups.items()}
    names = sorted(groups, key=lambda name: -outside[name])[:25]
    rows = [[name or "without", f"{outside[name]:.3g}", str(len(groups[name]))] for name in names]
    return Table(["config_type", "atoms outside, %", "frames"], rows)
