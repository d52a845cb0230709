"""How far a compressed model is from the one it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pwmlff.data.frame import Frame
from pwmlff.evaluate.errors import ErrorStatistics
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.models import Potential


@dataclass
class Deviations:
    """Differences over a set of frames, compressed minus original.

    Attributes:
        energy: eV/atom, one value per frame.
        forces: eV/Å, of components.
        virial: eV/atom, of components.
    """

    n_frames: int = 0
    n_atoms: int = 0
    energy: ErrorStatistics = field(default_factory=ErrorStatistics)
    forces: ErrorStatistics = field(default_factory=ErrorStatistics)
    virial: ErrorStatistics = field(default_factory=ErrorStatistics)

    @property
    def force_error(self) -> float:
        """Largest deviation of a force component, eV/Å."""
        return self.forces.max_absolute


def compare(
    original: Potential, compressed: Potential, frames: Sequence[Frame], *, stop_above: float = float("inf")
) -> Deviations:
    """Evaluate both models on the same frames, with the native library where there is one.

    Args:
        original: The reference.
        compressed: Of the same elements.
        frames: At least one.
        stop_above: Force error in eV/Å at which nothing more needs to be known.

    Raises:
        DataFormatError: A frame holds an element the models do not know, or two atoms at one place.
        ModelFileError: A prediction is not finite.
    """
    deviations = Deviations()
    for expected, result in zip(predict_frames(original, frames), predict_frames(compressed, frames), strict=True):
        n_atoms = len(expected.frame)
        deviations.n_frames += 1
        deviations.n_atoms += n_atoms
        deviations.energy += ErrorStatistics.of([expected.energy / n_atoms], [result.energy / n_atoms])
        deviations.forces += ErrorStatistics.of(expected.forces, result.forces)
        deviations.virial += ErrorStatistics.of(expected.virial / n_atoms, result.virial / n_atoms)
        if deviations.force_error > stop_above:
            break
    return deviations
