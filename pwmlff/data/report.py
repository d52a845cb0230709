"""What is in a data set: counts, ranges, close contacts, duplicates, outliers; computed in one pass."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from pwmlff import keys
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.data.outliers import energy_outliers, force_outliers, formula
from pwmlff.data.pressure import implausible_pressure, pressure_of
from pwmlff.data.suspects import SuspectFrames
from pwmlff.elements import symbol_of

_DUPLICATE_DIGITS = 5  # of fractional coordinates


@dataclass
class Range:
    """Smallest, mean and largest of a quantity."""

    low: float
    mean: float
    high: float


@dataclass
class DataSummary:
    """The answer of `pwmlff data info`.

    Attributes:
        n_frames: Number of frames.
        n_atoms: Of all frames.
        atoms_per_frame: Range.
        elements: Atoms of each element.
        compositions: Frames of each composition.
        labels: Frames that carry each label.
        ranges: By name with unit.
        shortest: Shortest distance of each element pair, Å, where within the cutoff.
        neighbors_mean: Neighbours within the cutoff, mean over atoms.
        neighbors_max: The largest number of them.
        duplicates: Groups of frames with the same structure, as places.
        outliers: Frames far from the rest, one sentence each.
        warnings: What looks wrong with the whole.
    """

    n_frames: int = 0
    n_atoms: int = 0
    atoms_per_frame: Range = field(default_factory=lambda: Range(0, 0, 0))
    elements: dict[str, int] = field(default_factory=dict)
    compositions: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    shortest: dict[str, float] = field(default_factory=dict)
    neighbors_mean: float = 0.0
    neighbors_max: int = 0
    duplicates: list[list[str]] = field(default_factory=list)
    outliers: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def summarize(frames: Iterable[Frame], cutoff: float) -> DataSummary:
    """Look at every frame once.

    Args:
        frames: The data.
        cutoff: Å, for neighbour counts.
    """
    collector = _Collector(cutoff)
    for frame in frames:
        collector.add(frame)
    return collector.summary()


class _Collector:
    """Running sums over frames; holds scalars of each frame, never a frame."""

    def __init__(self, cutoff: float) -> None:
        self.cutoff = cutoff
        self.suspects = SuspectFrames()
        self.n_atoms: list[int] = []
        self.scalars: dict[str, list[float]] = defaultdict(list)  # NaN where the label is absent
        self.squared_force = 0.0
        self.n_components = 0
        self.elements: Counter[int] = Counter()
        self.labels: Counter[str] = Counter()
        self.shortest: dict[tuple[int, int], float] = {}
        self.n_pairs = 0
        self.neighbors_max = 0
        self.same: dict[str, list[str]] = defaultdict(list)

    def add(self, frame: Frame) -> None:
        """Take in a frame."""
        self.suspects.add(frame)
        self.n_atoms.append(len(frame))
        self.elements.update(frame.atomic_numbers.tolist())
        self.labels.update(name for name in keys.LABELS if getattr(frame, name) is not None)
        self.same[_fingerprint(frame)].append(frame.where)
        self._add_scalars(frame)
        self._add_pairs(frame)

    def _add_scalars(self, frame: Frame) -> None:
        volume = frame.volume if frame.pbc.all() else np.nan
        self.scalars["volume (Å³/atom)"].append(volume / len(frame))
        self.scalars["pressure (GPa)"].append(pressure_of(frame))
        if frame.forces is not None:
            self.squared_force += float(np.sum(frame.forces**2))
            self.n_components += frame.forces.size

    def _add_pairs(self, frame: Frame) -> None:
        neighbors = neighbor_list(frame, self.cutoff)
        counts = np.diff(neighbors.pair_start)
        self.n_pairs += int(counts.sum())
        self.neighbors_max = max(self.neighbors_max, int(counts.max()))
        distances = np.sqrt(np.einsum("ec,ec->e", neighbors.pair_vectors, neighbors.pair_vectors))
        center = np.repeat(frame.atomic_numbers, counts)
        other = frame.atomic_numbers[neighbors.pair_neighbors]
        code = np.minimum(center, other) * 1000 + np.maximum(center, other)
        for value in np.unique(code):
            pair = (int(value) // 1000, int(value) % 1000)
            nearest = float(distances[code == value].min())
            self.shortest[pair] = min(nearest, self.shortest.get(pair, np.inf))

    def summary(self) -> DataSummary:
        """Close the books."""
        scalars = {
            "energy (eV/atom)": self.suspects.energies,
            **self.scalars,
            "largest |F| of a frame (eV/Å)": self.suspects.largest_forces,
        }
        ranges = {name: _range(values) for name, values in scalars.items() if np.isfinite(values).any()}
        warnings = []
        median = implausible_pressure(self.scalars["pressure (GPa)"])
        if median is not None:
            warnings.append(f"the median pressure is {median:+.0f} GPa, which is implausible; check the virials")
        warnings += self.suspects.warnings()
        if self.n_components:
            root = float(np.sqrt(self.squared_force / self.n_components))
            ranges["force component RMS (eV/Å)"] = Range(root, root, root)
        n_total = sum(self.n_atoms)
        return DataSummary(
            n_frames=len(self.suspects.places),
            n_atoms=n_total,
            atoms_per_frame=_range(self.n_atoms) if self.n_atoms else Range(0, 0, 0),
            elements={symbol_of(z): n for z, n in sorted(self.elements.items())},
            compositions=dict(Counter(map(formula, self.suspects.compositions)).most_common()),
            labels={name: self.labels[name] for name in keys.LABELS},
            ranges=ranges,
            shortest={f"{symbol_of(a)}-{symbol_of(b)}": d for (a, b), d in sorted(self.shortest.items())},
            neighbors_mean=self.n_pairs / n_total if n_total else 0.0,
            neighbors_max=self.neighbors_max,
            duplicates=[group for group in self.same.values() if len(group) > 1],
            outliers=self._outliers(),
            warnings=warnings,
        )

    def _outliers(self) -> list[str]:
        suspects = self.suspects
        energies, forces = np.array(suspects.energies), np.array(suspects.largest_forces)
        found = (energy_outliers(energies, suspects.compositions), force_outliers(forces, suspects.compositions))
        return [f"{suspects.places[k]}: {text}" for outliers in found for k, text in outliers.items()]


def _range(values: Iterable[float]) -> Range:
    array = np.array(list(values), dtype=np.float64)
    return Range(float(np.nanmin(array)), float(np.nanmean(array)), float(np.nanmax(array)))


def _fingerprint(frame: Frame) -> str:
    """Hash of elements, cell and wrapped, rounded positions; labels do not count."""
    digest = hashlib.sha256(frame.atomic_numbers.tobytes())
    digest.update((np.round(frame.cell, _DUPLICATE_DIGITS) + 0.0).tobytes())
    if frame.pbc.all():
        coordinates = np.round(frame.positions @ np.linalg.inv(frame.cell), _DUPLICATE_DIGITS) % 1.0
        coordinates = np.round(coordinates, _DUPLICATE_DIGITS) % 1.0
    else:
        coordinates = np.round(frame.positions, _DUPLICATE_DIGITS - 1)
    digest.update((coordinates + 0.0).tobytes())
    return digest.hexdigest()
