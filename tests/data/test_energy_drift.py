"""Energies that drift away from the work of the forces, on dynamics whose forces are exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet

from pwmlff.data.atoms import frame_of
from pwmlff.data.energy_drift import EnergyDrift, EnergyDrifts
from pwmlff.data.frame import Frame
from pwmlff.data.suspects import SuspectFrames


@pytest.fixture(scope="module")
def run() -> list[Frame]:
    """Copper at some 500 K, a frame for each 2 fs; atoms are wrapped into the cell, as data often are."""
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.calc = EMT()
    spread = np.sqrt(1000 * units.kB * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * np.random.default_rng(3).normal(size=(len(atoms), 3)))
    dynamics, frames = VelocityVerlet(atoms, 2 * units.fs), []
    for index in range(60):
        wrapped = atoms.copy()
        wrapped.wrap()
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        frames.append(replace(frame_of(wrapped, "run", index), energy=energy, forces=forces))
        dynamics.run(1)
    return frames


def drifts_of(frames: Sequence[Frame]) -> list[EnergyDrift]:
    watching = EnergyDrifts()
    for frame in frames:
        watching.add(frame)
    return watching.found()


def with_drift(frames: Sequence[Frame], per_frame: float) -> list[Frame]:
    """Add so many eV/atom from frame to frame."""
    return [replace(frame, energy=frame.energy + k * per_frame * len(frame)) for k, frame in enumerate(frames)]


def test_exact_forces_explain_the_energies(run: list[Frame]) -> None:
    assert drifts_of(run) == []


@pytest.mark.parametrize("change", [1e-3, -3e-3])
def test_a_linear_drift_is_measured(run: list[Frame], change: float) -> None:
    (drift,) = drifts_of(with_drift(run, change / (len(run) - 1)))
    assert drift.n_frames == len(run)
    assert drift.change == pytest.approx(change, abs=1e-4)
    assert drift.spread == pytest.approx(abs(change) / np.sqrt(12.0), rel=0.1)  # of a uniform distribution
    assert drift.where.startswith("run frame 0")


def test_frames_held_out_leave_the_drift(run: list[Frame]) -> None:
    kept = [frame for frame in with_drift(run, 1e-4) if frame.index % 10 != 4]
    (drift,) = drifts_of(kept)
    assert drift.n_frames == len(kept)
    assert drift.change == pytest.approx(59e-4, rel=0.05)


def jump_back(frames: list[Frame]) -> list[Frame]:
    """Begin anew in the same file, as where two runs are put together."""
    drifting = with_drift(frames, 1e-4)
    second = [replace(frame, index=60 + k, energy=frame.energy + 32.0) for k, frame in enumerate(drifting)]
    return drifting + second


def other_file(frames: list[Frame]) -> list[Frame]:
    drifting = with_drift(frames, 1e-4)
    return drifting + [replace(frame, source="other") for frame in drifting]


def a_label_less(frames: list[Frame]) -> list[Frame]:
    drifting = with_drift(frames, 1e-4)
    return [*drifting[:30], replace(drifting[30], energy=None), *drifting[31:]]


@pytest.mark.parametrize("change", [jump_back, other_file, a_label_less])
def test_trajectories_are_told_apart(run: list[Frame], change: Callable[[list[Frame]], list[Frame]]) -> None:
    found = drifts_of(change(run))
    assert len(found) == 2
    for drift in found:
        assert drift.change == pytest.approx(1e-4 * (drift.n_frames - 1), rel=0.1)


@pytest.mark.parametrize("stretch", ["cell", "step", "few", "order"])
def test_nothing_is_said_where_the_work_is_not_known(run: list[Frame], stretch: str) -> None:
    drifting = with_drift(run, 1e-4)
    unknown = {
        "cell": [replace(frame, cell=frame.cell * (1 + 1e-5 * k)) for k, frame in enumerate(drifting)],
        "step": [replace(frame, index=k) for k, frame in enumerate(drifting[::5] + drifting[1::5])],
        "few": drifting[:15],
        "order": [drifting[k] for k in np.random.default_rng(1).permutation(len(drifting))],
    }
    assert drifts_of(unknown[stretch]) == []


def test_asking_changes_nothing(run: list[Frame]) -> None:
    watching = EnergyDrifts()
    for frame in with_drift(run, 1e-4):
        watching.add(frame)
        watching.found()
    (drift,) = watching.found()
    assert drift.n_frames == len(run)


def test_commands_say_it(run: list[Frame]) -> None:
    suspects = SuspectFrames()
    for frame in with_drift(run, 1e-4):
        suspects.add(frame)
    (line,) = suspects.notes()
    assert line.startswith("energies of 1 trajectory drift away from the work of the forces, most from run frame 0")
    assert "1.7 meV/atom about the mean of 60 frames, +5.9 from first to last" in line
