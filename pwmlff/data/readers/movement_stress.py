"""The sign of the stress block of a MOVEMENT file, decided from the file.

PWmat writes `stress (eV)` = +dE/dstrain = -virial; converters from VASP put +virial under the same title.
Evidence, best first:

1. The cell changes between neighbouring frames. With fractional coordinates s, forces F and strain e,
   dE = -F·(ds h) - virial:e; the part of dE that the forces leave over tells the sign.
2. PWmat also writes `Pressure Internal(Hartree/bohr^3)`, positive under compression, so virial = pressure * volume.
   Where it equals the stress block up to a sign, that sign is known.
3. Blocks that only PWmat writes (velocities, atomic energies, unwrapped positions) mean PWmat's sign;
   none of them and no kinetic energy in any frame is what converters leave behind.

Without evidence the label is dropped: half of the guesses would train a model to collapse under pressure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.pressure import implausible_pressure
from pwmlff.units import BOHR, EV_PER_A3_IN_GPA, HARTREE

_MIN_PAIRS = 4  # neighbouring frames needed before a correlation counts
_MIN_CORRELATION = 0.8


@dataclass(frozen=True)
class MovementFrame:
    """A frame and what tells the sign of its stress block.

    Attributes:
        frame: Without virial.
        stress: [3, 3] eV, as the file has it.
        pressure: [3, 3] Hartree/bohr^3, as the file has it.
        kinetic: Kinetic energy of the header, eV.
        native: The frame has a block only PWmat writes.
    """

    frame: Frame
    stress: NDArray[np.float64] | None
    pressure: NDArray[np.float64] | None
    kinetic: float
    native: bool


def decide_stress_sign(frames: Sequence[MovementFrame]) -> tuple[int, str]:
    """Decide how the stress block becomes a virial.

    Args:
        frames: Consecutive frames of one file.

    Returns:
        The sign s of `virial = s * stress block`, 0 when there is none or it is undecidable; and the sentence that
        says what was taken and why, empty when the file has no stress.
    """
    labelled = [f for f in frames if f.stress is not None]
    if not labelled:
        return 0, ""
    sign, reason = _from_strain(frames)
    if sign == 0:
        sign, reason = _from_pressure(labelled)
    if sign == 0 and all(f.native for f in labelled):
        sign, reason = -1, "its blocks are those PWmat itself writes"
    if sign == 0 and not any(f.native or f.kinetic for f in labelled):
        sign, reason = 1, "no block only PWmat writes and no kinetic energy: a converted file"
    if sign == 0:
        return 0, "the sign of its stress block cannot be decided, so the virial label is dropped"
    return sign, f"virial = {'+' if sign > 0 else '-'}1 * stress block; {reason}"


def check_forces(frames: Sequence[MovementFrame]) -> str:
    """Compare forces with the energies of neighbouring frames.

    Args:
        frames: Consecutive frames of one file.

    Returns:
        A warning when the energies contradict the sign of the forces, else nothing.
    """
    change, work, _ = _neighbouring(frames)
    moved = np.abs(work) > 1e-6
    if moved.sum() < _MIN_PAIRS or np.std(work[moved]) == 0 or np.std(change[moved]) == 0:
        return ""
    correlation = float(np.corrcoef(change[moved], work[moved])[0, 1])
    if correlation > -_MIN_CORRELATION:
        return ""
    return (
        f"WARNING: energies of neighbouring frames contradict the forces (correlation {correlation:.2f}); "
        "the force block seems to hold +force, not PWmat's -force: correct the file before training on it"
    )


def note_pressure(frames: Sequence[MovementFrame], sign: int) -> str:
    """Point out virials no material has.

    Args:
        frames: Frames of one file.
        sign: Of `virial = sign * stress block`.
    """
    traces = [float(np.trace(f.stress)) / 3 / f.frame.volume for f in frames if f.stress is not None]
    pressure = implausible_pressure(sign * trace * EV_PER_A3_IN_GPA for trace in traces)
    if pressure is None:
        return ""
    return (
        f"WARNING: the virials mean a pressure of {pressure:+.0f} GPa, which is implausible; "
        "do not train on them unless the sample really is under it"
    )


def _from_pressure(frames: Sequence[MovementFrame]) -> tuple[int, str]:
    overlap = norm = 0.0
    for f in frames:
        if f.stress is not None and f.pressure is not None:
            virial = f.pressure * (HARTREE / BOHR**3) * f.frame.volume
            overlap += float(np.sum(virial * f.stress))
            norm += float(np.linalg.norm(virial) * np.linalg.norm(f.stress))
    if norm == 0.0 or abs(overlap) < _MIN_CORRELATION * norm:
        return 0, ""
    return int(np.sign(overlap)), "the sign under which it agrees with the block `Pressure Internal`"


def _from_strain(frames: Sequence[MovementFrame]) -> tuple[int, str]:
    change, work, strain_work = _neighbouring(frames)
    usable = np.isfinite(strain_work) & (np.abs(strain_work) > 1e-5)
    if usable.sum() < _MIN_PAIRS:
        return 0, ""
    rest, expected = (change - work)[usable], strain_work[usable]
    norm = np.linalg.norm(rest) * np.linalg.norm(expected)
    correlation = float(rest @ expected / norm) if norm > 0 else 0.0
    if abs(correlation) < _MIN_CORRELATION:
        return 0, ""
    sign = -int(np.sign(correlation))
    return sign, f"energies of neighbouring frames follow the strain so (correlation {abs(correlation):.2f})"


def _neighbouring(frames: Sequence[MovementFrame]) -> tuple[NDArray[np.float64], ...]:
    """Energy changes between neighbouring frames and what forces and stress make of them.

    Returns:
        dE, -F·(ds h), and stress block : strain (NaN without stress), each [pairs], eV.
    """
    rows = []
    for a, b in zip(frames[:-1], frames[1:], strict=True):
        row = _pair(a, b)
        if row is not None:
            rows.append(row)
    table = np.array(rows).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _pair(a: MovementFrame, b: MovementFrame) -> tuple[float, float, float] | None:
    if not np.array_equal(a.frame.atomic_numbers, b.frame.atomic_numbers):
        return None
    if a.frame.forces is None or b.frame.forces is None or a.frame.energy is None or b.frame.energy is None:
        return None
    mean_cell = (a.frame.cell + b.frame.cell) / 2
    ds = b.frame.positions @ np.linalg.inv(b.frame.cell) - a.frame.positions @ np.linalg.inv(a.frame.cell)
    ds -= np.round(ds)
    if np.abs(ds @ mean_cell).max() > 0.5:  # Å; too far for a straight line between them
        return None
    work = -float(np.sum((a.frame.forces + b.frame.forces) / 2 * (ds @ mean_cell)))
    strain_work = np.nan
    if a.stress is not None and b.stress is not None:
        strain = np.linalg.inv(mean_cell) @ (b.frame.cell - a.frame.cell)
        strain_work = float(np.sum((a.stress + b.stress) / 2 * strain))
    return b.frame.energy - a.frame.energy, work, strain_work
