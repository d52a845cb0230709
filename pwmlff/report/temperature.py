"""How hot the data are: what their files say, else the temperature that their forces stand for.

In the canonical ensemble  <|grad E|^2> = kT <laplace E>  (the configurational temperature; Rugh, PRL 78, 772, 1997).
The forces are the labels, the Laplacian is the model's, by central differences along random directions v of +1 and -1:

    laplace E = <v^T H v>,    H v = -(F(x + h v) - F(x - h v)) / 2h

Structures that were displaced by hand get the temperature at which they would be displaced as much. Data of path
integrals get a higher one than their own, that of their zero-point motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.models import Potential
from pwmlff.report.structures import without_labels
from pwmlff.report.tags import BOLTZMANN, Tag

_STEP = 0.01  # Å
_N_DIRECTIONS = 2
_MOST_FRAMES = 12
COLDEST, HOTTEST = 50.0, 3000.0  # K; data beyond are relaxed structures, or structures made to be strange
ROOM = 300.0  # K


@dataclass(frozen=True)
class Temperature:
    """Of some frames.

    Attributes:
        kelvin: K.
        how: Where it is from, a clause.
    """

    kelvin: float
    how: str


def temperature_of(
    potential: Potential, frames: Sequence[Frame], tags: Sequence[Tag], given: float | None = None
) -> Temperature:
    """Return the temperature of frames: as given, else the highest that is recorded, else as estimated."""
    if given is not None:
        return Temperature(given, "as given")
    recorded = [tag.temperature for tag in tags if tag.temperature]
    if recorded:
        # of kinetic energies, which scatter; of thermostats it is their setting
        return Temperature(float(np.quantile(recorded, 0.95)), "recorded in the data")
    estimates = [configurational_temperature(potential, frame) for frame in _evenly(frames)]
    estimate = float(np.median([value for value in estimates if np.isfinite(value)] or [0.0]))
    if estimate < COLDEST:
        return Temperature(ROOM, "assumed: the data record none, and their forces are those of relaxed structures")
    if estimate > HOTTEST:
        return Temperature(HOTTEST, f"assumed: the data record none, and their forces would stand for {estimate:.0f} K")
    return Temperature(estimate, "estimated from the forces, for the data record none")


def configurational_temperature(
    potential: Potential, frame: Frame, *, n_directions: int = _N_DIRECTIONS, seed: int = 0
) -> float:
    """Return the temperature that the forces of a frame stand for, K; NaN where the Laplacian is not positive."""
    rng = np.random.default_rng(seed)
    moved, directions = [frame], []
    for _ in range(n_directions):
        direction = rng.choice([-1.0, 1.0], size=(len(frame), 3))
        directions.append(direction)
        moved += [without_labels(frame, frame.positions + sign * _STEP * direction) for sign in (1.0, -1.0)]
    results = list(predict_frames(potential, moved))
    forces = results[0].forces if frame.forces is None else frame.forces
    laplacians = [
        -float((direction * (ahead.forces - behind.forces)).sum()) / (2 * _STEP)
        for direction, ahead, behind in zip(directions, results[1::2], results[2::2], strict=True)
    ]
    laplacian = float(np.mean(laplacians))
    return float(np.square(forces).sum()) / (laplacian * BOLTZMANN) if laplacian > 0 else np.nan


def _evenly(frames: Sequence[Frame]) -> list[Frame]:
    places = np.unique(np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(int))
    return [frames[int(place)] for place in places]
