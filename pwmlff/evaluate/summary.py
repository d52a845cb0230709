"""Errors of all quantities: over everything, per source file, and per element."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from pwmlff import keys
from pwmlff.elements import symbol_of
from pwmlff.evaluate.errors import ErrorStatistics
from pwmlff.evaluate.evaluator import FrameResult

# label -> (name in summary.json, tail of the names of its errors)
JSON_NAMES = {
    keys.ENERGY: ("energy", "_per_atom"),
    keys.FORCES: ("force", ""),
    keys.VIRIAL: ("virial", "_per_atom"),
    keys.ATOMIC_ENERGIES: ("atomic_energy", ""),
}


class ErrorTable:
    """Errors of each quantity over a set of frames, with the frames counted.

    Energies and virials are compared per atom, forces per component.

    Attributes:
        errors: Statistics of the errors of each label of `keys.LABELS`.
        labelled: Number of frames that have the label.
    """

    def __init__(self) -> None:
        self.n_frames = 0
        self.n_atoms = 0
        self.errors: dict[str, ErrorStatistics] = {label: ErrorStatistics() for label in keys.LABELS}
        self.labelled: dict[str, int] = dict.fromkeys(keys.LABELS, 0)

    def add(self, n_atoms: int, errors: dict[str, ErrorStatistics]) -> None:
        """Count one frame and add the errors of the labels it has."""
        self.n_frames += 1
        self.n_atoms += n_atoms
        for label, statistics in errors.items():
            self.errors[label] += statistics
            self.labelled[label] += 1

    def as_dict(self) -> dict[str, Any]:
        """Errors and counts under the names of `summary.json`; None where a label is absent everywhere."""
        values: dict[str, Any] = {}
        for label, (name, tail) in JSON_NAMES.items():
            statistics = self.errors[label]
            values[f"{name}_rmse{tail}"] = statistics.rmse
            values[f"{name}_mae{tail}"] = statistics.mae
            values[f"{name}_max{tail}"] = statistics.max
            values[f"{name}_r2"] = statistics.r2
        values["energy_shift_per_atom"] = self.errors[keys.ENERGY].shift
        values["n_frames"] = self.n_frames
        values["n_atoms"] = self.n_atoms
        values["n_labelled_frames"] = dict(self.labelled)
        return values


class ErrorSummary:
    """Accumulates results frame by frame.

    Attributes:
        total: Over all frames.
        per_source: By the file the frames came from.
        per_element: Force errors on the atoms of each element.
        atoms_of: Number of atoms of each element, in the frames with force labels.
    """

    def __init__(self) -> None:
        self.total = ErrorTable()
        self.per_source: dict[str, ErrorTable] = defaultdict(ErrorTable)
        self.per_element: dict[str, ErrorStatistics] = defaultdict(ErrorStatistics)
        self.atoms_of: Counter[str] = Counter()

    def add(self, result: FrameResult) -> None:
        """Compare a prediction with the labels its frame has."""
        frame = result.frame
        errors = frame_errors(result)
        self.total.add(len(frame), errors)
        self.per_source[frame.source].add(len(frame), errors)
        if frame.forces is None:
            return
        for number in np.unique(frame.atomic_numbers):
            chosen = frame.atomic_numbers == number
            symbol = symbol_of(int(number))
            self.per_element[symbol] += ErrorStatistics.of(frame.forces[chosen], result.forces[chosen])
            self.atoms_of[symbol] += int(chosen.sum())

    def as_dict(self) -> dict[str, Any]:
        """The content of `summary.json`, without what was tested on what."""
        elements = {
            symbol: {
                **{f"force_{name}": value for name, value in statistics.as_dict().items() if name != "count"},
                "n_atoms": self.atoms_of[symbol],
            }
            for symbol, statistics in self.per_element.items()
        }
        sources = {source: table.as_dict() for source, table in self.per_source.items()}
        return {**self.total.as_dict(), "per_element": elements, "per_source": sources}

    def hints(self) -> list[str]:
        """Advice on what the errors look like: energies that differ by a constant are a matter of their zero."""
        lines = []
        for source, table in self.per_source.items():
            energy = table.errors[keys.ENERGY]
            if energy.is_rigid_shift:
                lines.append(
                    f"{source or 'the data'}: predicted energies differ from the labels by a constant "
                    f"{energy.error.mean:+.4g} eV/atom; another zero of energy (pseudopotential, isolated-atom "
                    "reference) or a composition not trained on? Forces do not feel it."
                )
        return lines


def frame_errors(result: FrameResult) -> dict[str, ErrorStatistics]:
    """Errors of one frame for each label it has; energy and virial per atom."""
    pairs = label_pairs(result)
    return {label: ErrorStatistics.of(reference, predicted) for label, (reference, predicted) in pairs.items()}


def label_pairs(result: FrameResult) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Label and prediction of each quantity the frame is labelled with; energy and virial per atom."""
    frame, n_atoms = result.frame, len(result.frame)
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if frame.energy is not None:
        pairs[keys.ENERGY] = (np.array([frame.energy / n_atoms]), np.array([result.energy / n_atoms]))
    if frame.forces is not None:
        pairs[keys.FORCES] = (frame.forces, result.forces)
    if frame.virial is not None:
        pairs[keys.VIRIAL] = (frame.virial / n_atoms, result.virial / n_atoms)
    if frame.atomic_energies is not None:
        pairs[keys.ATOMIC_ENERGIES] = (frame.atomic_energies, result.atomic_energies)
    return pairs
