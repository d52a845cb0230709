"""What is in a data set: counts, ranges, close contacts, duplicates, outliers; computed in one pass."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.data.readers.common import is_plausible_pressure
from pwmlff.elements import symbol_of
from pwmlff.units import EV_PER_A3_IN_GPA

_DUPLICATE_DIGITS = 5  # of fractional coordinates
_CLOSE_CONTACT = 0.5  # Å; the shortest bond, of H2, has 0.74 Å
_HUGE_FORCE = 100.0  # eV/Å
_OUTLIER_Z = 7.0
_MIN_GROUP = 10  # frames of a composition needed before one of them can be called an outlier
_MAD_TO_SIGMA = 1.4826
_WIDTH_TO_SIGMA = 3.29  # of a normal distribution, 5 % to 95 %


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
        self.places: list[str] = []
        self.formulas: list[str] = []
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
        counts = Counter(frame.atomic_numbers.tolist())
        self.places.append(frame.where)
        self.formulas.append("".join(f"{symbol_of(z)}{counts[z]}" for z in sorted(counts)))
        self.n_atoms.append(len(frame))
        self.elements.update(counts)
        self.labels.update(name for name in keys.LABELS if getattr(frame, name) is not None)
        self.same[_fingerprint(frame)].append(frame.where)
        self._add_scalars(frame)
        self._add_pairs(frame)

    def _add_scalars(self, frame: Frame) -> None:
        volume = frame.volume if frame.pbc.all() else np.nan
        energy = np.nan if frame.energy is None else frame.energy
        self.scalars["energy (eV/atom)"].append(energy / len(frame))
        self.scalars["volume (Å³/atom)"].append(volume / len(frame))
        pressure = np.nan if frame.virial is None else np.trace(frame.virial) / (3 * volume) * EV_PER_A3_IN_GPA
        self.scalars["pressure (GPa)"].append(pressure)
        largest = np.nan
        if frame.forces is not None:
            largest = float(np.sqrt(np.einsum("ac,ac->a", frame.forces, frame.forces).max()))
            self.squared_force += float(np.sum(frame.forces**2))
            self.n_components += frame.forces.size
        self.scalars["largest |F| of a frame (eV/Å)"].append(largest)

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
        ranges = {name: _range(values) for name, values in self.scalars.items() if np.isfinite(values).any()}
        warnings = []
        pressures = np.array(self.scalars["pressure (GPa)"])
        if np.isfinite(pressures).any() and not is_plausible_pressure(median := float(np.nanmedian(pressures))):
            warnings.append(f"the median pressure is {median:+.0f} GPa, which is implausible; check the virials")
        close = {pair: distance for pair, distance in self.shortest.items() if distance < _CLOSE_CONTACT}
        for (a, b), distance in close.items():
            warnings.append(
                f"{symbol_of(a)} and {symbol_of(b)} come as near as {distance:.3f} Å; no bond is shorter than 0.7 Å: "
                "check those frames"
            )
        largest = np.array(self.scalars["largest |F| of a frame (eV/Å)"])
        n_huge = int((largest > _HUGE_FORCE).sum())
        if n_huge:
            k = int(np.nanargmax(largest))
            warnings.append(
                f"{n_huge} frames have forces above {_HUGE_FORCE:g} eV/Å, the largest {largest[k]:.4g} in "
                f"{self.places[k]}; they outweigh all others in training"
            )
        if self.n_components:
            root = float(np.sqrt(self.squared_force / self.n_components))
            ranges["force component RMS (eV/Å)"] = Range(root, root, root)
        n_total = sum(self.n_atoms)
        return DataSummary(
            n_frames=len(self.places),
            n_atoms=n_total,
            atoms_per_frame=_range(self.n_atoms) if self.n_atoms else Range(0, 0, 0),
            elements={symbol_of(z): n for z, n in sorted(self.elements.items())},
            compositions=dict(Counter(self.formulas).most_common()),
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
        """Frames whose energy or force lies far from the median of their composition, in robust standard deviations.

        Forces are compared on a logarithmic scale and only upwards: relaxed frames are no outliers.
        """
        energies = np.array(self.scalars["energy (eV/atom)"])
        forces = np.array(self.scalars["largest |F| of a frame (eV/Å)"])
        formulas = np.array(self.formulas)
        outliers = []
        for formula in dict.fromkeys(self.formulas):
            members = np.flatnonzero(formulas == formula)
            for k, z in zip(members, _robust_z(energies[members]), strict=True):
                if abs(z) > _OUTLIER_Z:
                    outliers.append(
                        f"{self.places[k]}: energy {energies[k]:.4f} eV/atom is {z:+.0f} sigma off ({formula})"
                    )
            for k, z in zip(members, _robust_z(np.log(forces[members] + 0.01)), strict=True):
                if z > _OUTLIER_Z:
                    outliers.append(f"{self.places[k]}: force {forces[k]:.2f} eV/Å is {z:+.0f} sigma off ({formula})")
        return outliers


def _range(values: Iterable[float]) -> Range:
    array = np.array(list(values), dtype=np.float64)
    return Range(float(np.nanmin(array)), float(np.nanmean(array)), float(np.nanmax(array)))


def _robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations; zero for small groups and absent values.

    The scale is the larger of the median absolute deviation and the width without the outer twentieth on each side,
    so that a second phase among the frames is not called an outlier.
    """
    present = np.sort(values[np.isfinite(values)])
    if len(present) < _MIN_GROUP:
        return np.zeros(len(values))
    median = np.median(present)
    trim = max(1, len(present) // 20)
    sigma = max(
        _MAD_TO_SIGMA * np.median(np.abs(present - median)), (present[-1 - trim] - present[trim]) / _WIDTH_TO_SIGMA
    )
    # equal values to rounding have no scale to be far on
    if sigma <= 1e-9 * max(abs(median), 1.0):
        return np.zeros(len(values))
    return np.nan_to_num((values - median) / sigma)


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
