"""Molecular dynamics: its statistics, its two programs, and models that do not hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from morse import DEPTH, crystal, frame_set, morse, subject_of

from pwmlff.data.frame import Frame
from pwmlff.interfaces.calculator import PwmlffCalculator
from pwmlff.models.potential import Potential
from pwmlff.report import stability
from pwmlff.report.dynamics import Plan, lammps_program, run_in_ase, run_in_lammps, timestep_of
from pwmlff.report.residuals import predict
from pwmlff.report.stability import (
    Effort,
    choose_starts,
    energy_drift,
    stability_section,
    standard_error,
)
from pwmlff.report.structures import frame_of
from pwmlff.report.tags import BOLTZMANN
from pwmlff.report.verdict import Grade

EFFORT = Effort(1, 0.6, 0.4, 120.0)


def test_drift_of_a_line_and_of_noise() -> None:
    times = np.linspace(0.0, 5.0, 250)
    assert energy_drift(times, 3.0 - 0.002 * times) == pytest.approx(2.0)  # meV/atom/ps
    assert energy_drift(times, 1e-4 * np.sin(40 * times)) == pytest.approx(0.0, abs=0.02)
    assert energy_drift(times[:5], times[:5]) is None
    assert energy_drift(times, np.where(times > 3, np.nan, 1.0)) == np.inf


def test_standard_error_of_independent_values() -> None:
    values = np.random.default_rng(0).standard_normal((400, 1000))
    errors = [standard_error(row) for row in values]
    assert np.mean(np.square(errors)) == pytest.approx(1 / 1000, rel=0.1)


def test_time_steps() -> None:
    assert timestep_of(frame_of(molecule("H2O")), 300) == 0.5
    assert timestep_of(frame_of(crystal(1)), 300) == 1.0
    assert timestep_of(frame_of(crystal(1)), 2000) == 0.5


def in_lammps(plan: Plan, potential: Potential, folder: Path):  # type: ignore[no-untyped-def]
    from pwmlff.export import export_potential

    if lammps_program() is None:
        pytest.skip("no LAMMPS")
    model = export_potential(potential, folder / "model.pt")
    (folder / "run").mkdir()
    return run_in_lammps(plan, model, potential.elements, folder / "run", lambda part: None)


def in_ase(plan: Plan, potential: Potential, folder: Path):  # type: ignore[no-untyped-def]
    return run_in_ase(plan, PwmlffCalculator(potential, device="cpu"), lambda part: None)


@pytest.mark.parametrize("program", [in_lammps, in_ase])
def test_a_crystal_keeps_temperature_and_energy(program: Callable, tmp_path: Path) -> None:
    run = program(Plan(frame_of(crystal(2)), 300.0, 1.0, 1.0, 0.4, 300.0), morse(), tmp_path)
    assert run.failure == ""
    assert run.planned == (1.0, 0.4)
    assert np.mean(run.bath.temperature[len(run.bath) // 2 :]) == pytest.approx(300, rel=0.25)  # 32 atoms, 0.5 ps
    assert np.ptp(run.free.total) < 1e-3  # eV/atom
    assert np.mean(run.bath.potential) == pytest.approx(-6 * DEPTH + 1.5 * BOLTZMANN * 300, abs=0.03)  # six bonds
    assert len(run.frames) > 10
    assert all(len(frame) == 32 and frame.pbc.all() for frame in run.frames)


@pytest.mark.parametrize("program", [in_lammps, in_ase])
def test_a_lone_molecule(program: Callable, tmp_path: Path) -> None:
    triangle = crystal(1)[[0, 1, 2]]
    triangle.pbc = False
    triangle.cell = None
    run = program(Plan(frame_of(triangle), 100.0, 1.0, 0.4, 0.4, 300.0), morse(), tmp_path)
    assert run.failure == ""
    assert np.ptp(run.free.total) < 1e-3
    assert not run.frames[-1].pbc.any()


def test_a_slab(tmp_path: Path) -> None:
    slab = crystal(2)
    slab.pbc = (True, True, False)
    slab.cell[2] = 0.0
    run = in_lammps(Plan(frame_of(slab), 100.0, 1.0, 0.2, 0.2, 300.0), morse(), tmp_path)
    assert run.failure == ""
    assert np.ptp(run.free.total) < 1e-3
    assert run.frames[-1].pbc.tolist() == [True, True, False]


@pytest.mark.parametrize(("hole", "grade"), [(0.0, Grade.GREEN), (2000.0, Grade.RED)])
@pytest.mark.parametrize("has_lammps", [True, False])
def test_section(
    shaken: Callable[..., list[Frame]],
    hole: float,
    grade: Grade,
    has_lammps: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if has_lammps and lammps_program() is None:
        pytest.skip("no LAMMPS")
    if not has_lammps:
        monkeypatch.setattr(stability, "lammps_program", lambda: None)
    potential = morse(hole)
    frames = shaken(4, 0.12 if hole == 0 else 0.3)
    subject = subject_of(potential, [], frames)
    starts = choose_starts(subject, predict(potential, frame_set(frames)), 1, 300.0 if hole == 0 else 2500.0)
    assert len(starts[0].frame) == 64
    effort = EFFORT if has_lammps else Effort(1, 0.2, 0.1, 120.0)
    section = stability_section(subject, starts, {(0, 0): 2.2}, None, effort, lambda part: None)
    if has_lammps:
        assert section.grade is grade, section.findings
    else:
        assert section.grade in (grade, Grade.AMBER)
        assert any("LAMMPS is not installed" in finding.words for finding in section.findings)
    programs = {run["program"] for run in section.numbers["runs"]}
    assert programs == {"LAMMPS" if has_lammps else "ASE"}


def test_nothing_to_move() -> None:
    atom = crystal(1)[:1]
    atom.pbc = False
    frames = [frame_of(atom)]
    potential = morse()
    subject = subject_of(potential, [], frames)
    starts = choose_starts(subject, predict(potential, frame_set(frames)), 1, None)
    assert starts == []
    assert stability_section(subject, starts, {}, None, EFFORT, lambda part: None).grade is Grade.GREY
