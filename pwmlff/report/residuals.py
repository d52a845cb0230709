"""Predictions of a set of frames beside their labels: what tables, histograms and other sections are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pwmlff import keys
from pwmlff.elements import symbol_of
from pwmlff.evaluate.errors import ErrorStatistics
from pwmlff.evaluate.evaluator import FrameResult, predict_frames
from pwmlff.models import Potential
from pwmlff.report.inputs import FrameSet
from pwmlff.units import EV_PER_A3_IN_GPA

STRESS = "stress"
QUANTITIES = (keys.ENERGY, keys.FORCES, STRESS)
MEV = 1000.0


@dataclass
class Residuals:
    """Labels and predictions of a set of frames.

    Energies are in meV/atom, forces in eV/Å, stresses in GPa (six components, only of structures with a volume).

    Attributes:
        results: Of each frame.
        labels: [n] of each quantity of `QUANTITIES`.
        predicted: [n] likewise.
        groups: Statistics by quantity, of each (kind, name), kind being `element`, `source` or `config_type`.
        n_frames: Frames of each (kind, name); atoms of an element.
    """

    results: list[FrameResult] = field(default_factory=list)
    labels: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    predicted: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    groups: dict[tuple[str, str], dict[str, ErrorStatistics]] = field(default_factory=dict)
    n_frames: dict[tuple[str, str], int] = field(default_factory=dict)

    def errors(self, quantity: str) -> NDArray[np.float64]:
        """Predicted minus label, [n]."""
        return self.predicted[quantity] - self.labels[quantity]

    def statistics(self, quantity: str) -> ErrorStatistics:
        """Error measures over all frames."""
        return ErrorStatistics.of(self.labels[quantity], self.predicted[quantity])


def predict(model: Potential, frames: FrameSet, on_frame: Callable[[], None] = lambda: None) -> Residuals:
    """Predict all frames and gather their residuals.

    Raises:
        ModelFileError: A prediction is not finite.
    """
    residuals = Residuals()
    for result in predict_frames(model, frames.frames):
        residuals.results.append(result)
        on_frame()
    parts: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {name: [] for name in QUANTITIES}
    groups: dict[tuple[str, str], dict[str, ErrorStatistics]] = defaultdict(lambda: defaultdict(ErrorStatistics))
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for result, tag in zip(residuals.results, frames.tags, strict=True):
        owners = [("source", Path(result.frame.source).name), ("config_type", tag.config_type)]
        owners = [(kind, name) for kind, name in owners if name]
        for owner in owners:
            counts[owner] += 1
        for quantity, pair in _pairs(result).items():
            parts[quantity].append(pair)
            for owner in owners:
                groups[owner][quantity] += ErrorStatistics.of(*pair)
        if result.frame.forces is not None:
            for number in np.unique(result.frame.atomic_numbers):
                chosen = result.frame.atomic_numbers == number
                owner = ("element", symbol_of(int(number)))
                counts[owner] += int(chosen.sum())
                statistics = ErrorStatistics.of(result.frame.forces[chosen], result.forces[chosen])
                groups[owner][keys.FORCES] += statistics
    for quantity, pairs in parts.items():
        residuals.labels[quantity] = np.concatenate([np.empty(0), *(label.ravel() for label, _ in pairs)])
        residuals.predicted[quantity] = np.concatenate([np.empty(0), *(value.ravel() for _, value in pairs)])
    residuals.groups = {owner: dict(of) for owner, of in groups.items()}
    residuals.n_frames = dict(counts)
    return residuals


def root_mean_square(statistics: ErrorStatistics) -> float:
    """Root mean square of the labels, the size that errors are compared with."""
    reference = statistics.reference
    return float(np.sqrt(reference.squared_deviation / max(reference.count, 1) + reference.mean**2))


def _pairs(result: FrameResult) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return label and prediction of each quantity a frame is labelled with."""
    frame, pairs = result.frame, {}
    n_atoms = len(frame)
    if frame.energy is not None:
        pairs[keys.ENERGY] = (np.array([frame.energy]) / n_atoms * MEV, np.array([result.energy]) / n_atoms * MEV)
    if frame.forces is not None:
        pairs[keys.FORCES] = (frame.forces, result.forces)
    if frame.virial is not None and frame.pbc.all():
        factor = -EV_PER_A3_IN_GPA / frame.volume
        upper = np.triu_indices(3)
        pairs[STRESS] = (frame.virial[upper] * factor, result.virial[upper] * factor)
    return pairs
