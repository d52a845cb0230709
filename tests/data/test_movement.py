"""MOVEMENT: signs, labels and faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, movement, read_frames
from pwmlff.errors import DataFormatError

Writer = Callable[..., str]


def molecule(shift: float = 0.0) -> Frame:
    """Three atoms, elements neither sorted nor grouped."""
    positions = np.array([[0.5, 0.6, 0.7], [2.0 + shift, 2.1, 2.2], [4.0, 3.9, 1.0]])
    forces = np.array([[0.1, -0.2, 0.3], [-0.4, 0.5, -0.6], [0.3, -0.3, 0.3]])
    return Frame(
        atomic_numbers=[72, 1, 8],
        positions=positions,
        cell=[[6.0, 0.2, 0], [0, 6.5, 0], [0, 0.3, 7.0]],
        energy=-12.5,
        forces=forces,
    )


def load(path: Path, text: str, **options: bool) -> tuple[list[Frame], ReadReport]:
    path.write_text(text)
    report = ReadReport()
    return list(read_frames([path], report=report, **options)), report


@pytest.mark.parametrize("title", ["Force (-force, eV/Angstrom)", "Force (eV/Angstrom)", "Force"])
def test_a_frame_reads_back(tmp_path: Path, movement_text: Writer, title: str) -> None:
    """The energy is Ep, the force block is negated whatever its title, unwrapped positions are not positions."""
    frame = molecule()
    text = movement_text(frame, force_title=title) * 2
    (first, second), _ = load(tmp_path / "MOVEMENT", text)
    np.testing.assert_array_equal(first.atomic_numbers, [72, 1, 8])
    np.testing.assert_allclose(first.positions, frame.positions, atol=1e-12)
    np.testing.assert_allclose(first.cell, frame.cell, atol=1e-12)
    np.testing.assert_allclose(first.forces, frame.forces, atol=1e-12)
    assert first.energy == frame.energy
    assert first.virial is None
    assert first.atomic_energies is None
    assert (first.index, first.line) == (0, 1)
    assert (second.index, second.line) == (1, text.count("\n") // 2 + 1)


@pytest.mark.parametrize(
    "header",
    [
        "{n} atoms, Iteration (fs) = {t}, Etot,Ek,Ep (eV) = {total} {kinetic} {potential}, SCF = 1",
        "{n} atoms,Iteration (fs) = {t}, Etot, Ep, Ek = {total:E} {potential:E} {kinetic:E}",
        "{n} atoms,Iteration = 1, Etot (eV) = {potential:E}, Average Force (eV/A) = 0.1, Max force = 0.2",
    ],
)
def test_ep_is_found_by_its_label(tmp_path: Path, movement_text: Writer, header: str) -> None:
    (frame,), _ = load(tmp_path / "MOVEMENT", movement_text(molecule(), header=header))
    assert frame.energy == pytest.approx(-12.5, abs=1e-12)


def test_a_header_without_ep_is_an_error(tmp_path: Path, movement_text: Writer) -> None:
    text = movement_text(molecule(), header="{n} atoms,Iteration (fs) = 1.0, Etot,Ek (eV) = {total} {kinetic}")
    with pytest.raises(DataFormatError, match=r"frame 0 \(line 1\): no `Ep`"):
        load(tmp_path / "MOVEMENT", text)


def test_atomic_energies_sum_to_ep(tmp_path: Path, movement_text: Writer) -> None:
    text = movement_text(molecule(), atomic_energies=[100.0, 30.0, 50.0])
    (frame,), report = load(tmp_path / "MOVEMENT", text)
    assert frame.atomic_energies is not None
    assert frame.atomic_energies.sum() == pytest.approx(-12.5)
    np.testing.assert_allclose(np.diff(frame.atomic_energies), [-70.0, 20.0])
    assert any("constant per element" in note for note in report.notes)


# the stress sign


STRESS = np.array([[0.3, 0.1, 0.0], [0.1, -0.4, 0.2], [0.0, 0.2, 0.5]])


def with_pressure(movement_text: Writer, sign: int) -> str:
    frame = molecule()
    pressure = sign * STRESS / frame.volume / (27.211386245988 / 0.529177210903**3)
    return movement_text(frame, stress=STRESS, pressure=pressure)


@pytest.mark.parametrize("sign", [-1, 1])
def test_stress_sign_from_the_pressure_block(tmp_path: Path, movement_text: Writer, sign: int) -> None:
    (frame,), report = load(tmp_path / "MOVEMENT", with_pressure(movement_text, sign))
    np.testing.assert_allclose(frame.virial, sign * STRESS)
    assert any("Pressure Internal" in note for note in report.notes)


def test_stress_of_pwmat_and_of_a_converted_file(tmp_path: Path, movement_text: Writer) -> None:
    (frame,), _ = load(tmp_path / "native", movement_text(molecule(), stress=STRESS))
    np.testing.assert_allclose(frame.virial, -STRESS)
    (frame,), _ = load(tmp_path / "converted", movement_text(molecule(), stress=STRESS, native=False, kinetic=0.0))
    np.testing.assert_allclose(frame.virial, STRESS)


def test_undecidable_stress_is_dropped_and_said_so(tmp_path: Path, movement_text: Writer) -> None:
    text = movement_text(molecule(), stress=STRESS, native=False, kinetic=0.3)
    (frame,), report = load(tmp_path / "MOVEMENT", text)
    assert frame.virial is None
    assert any("cannot be decided" in note for note in report.notes)


@pytest.fixture
def strained_copper(label: Callable[..., Frame]) -> list[Frame]:
    """A path of EMT copper along which cell and atoms move."""
    from ase.build import bulk

    rng = np.random.default_rng(8)
    strain, drift = rng.normal(scale=0.004, size=(3, 3)), rng.normal(scale=0.01, size=(4, 3))
    frames = []
    for step in range(9):
        atoms = bulk("Cu", "fcc", a=3.45, cubic=True)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + step * (strain + strain.T)), scale_atoms=True)
        atoms.positions += step * drift
        frames.append(label(atoms))
    return frames


@pytest.mark.parametrize("sign", [-1, 1])
def test_energies_along_a_strain_overrule_all_else(
    tmp_path: Path, movement_text: Writer, strained_copper: list[Frame], sign: int
) -> None:
    """Blocks that only PWmat writes are no match for the energies."""
    text = "".join(movement_text(frame, stress=sign * _virial(frame)) for frame in strained_copper)
    frames, report = load(tmp_path / "MOVEMENT", text)
    for frame, expected in zip(frames, strained_copper, strict=True):
        np.testing.assert_allclose(frame.virial, expected.virial, atol=1e-8)
    assert any("follow the strain" in note for note in report.notes)


def _virial(frame: Frame) -> NDArray[np.float64]:
    assert frame.virial is not None
    return frame.virial


def test_an_implausible_virial_is_pointed_out(tmp_path: Path, movement_text: Writer) -> None:
    (frame,), report = load(tmp_path / "MOVEMENT", movement_text(molecule(), stress=np.eye(3) * 500.0))
    assert frame.virial is not None
    assert any("implausible" in note for note in report.notes)


def test_frames_with_and_without_stress(tmp_path: Path, movement_text: Writer) -> None:
    text = movement_text(molecule(), stress=STRESS) + movement_text(molecule())
    (first, second), _ = load(tmp_path / "MOVEMENT", text)
    assert first.virial is not None
    assert second.virial is None


def test_stress_that_comes_too_late_to_decide_is_dropped_and_said_so(
    tmp_path: Path, movement_text: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movement, "_DECIDE_ON", 2)
    text = movement_text(molecule()) * 2 + movement_text(molecule(), stress=STRESS)
    frames, report = load(tmp_path / "MOVEMENT", text)
    assert frames[2].virial is None
    assert any("later stress blocks are dropped" in note for note in report.notes)


def test_forces_that_contradict_the_energies_are_pointed_out(
    tmp_path: Path, movement_text: Writer, strained_copper: list[Frame]
) -> None:
    cell = strained_copper[0].cell
    fixed = []
    for k in range(9):  # a spring at the origin: E = x^2 for one atom, +force written where PWmat writes -force
        x = 0.4 - 0.05 * k
        positions = np.array([[x, 0, 0], [1.7, 1.7, 0.0], [0, 1.7, 1.7], [1.7, 0, 1.7]])
        forces = np.zeros((4, 3))
        forces[0, 0] = 2 * x  # wrong sign on purpose
        fixed.append(Frame(atomic_numbers=[29] * 4, positions=positions, cell=cell, energy=x * x, forces=forces))
    _, report = load(tmp_path / "bad", "".join(map(movement_text, fixed)))
    assert any("contradict the forces" in note for note in report.notes)
    right = [replace(frame, forces=-np.asarray(frame.forces)) for frame in fixed]
    _, report = load(tmp_path / "good", "".join(map(movement_text, right)))
    assert report.notes == []


# faults


def edited(text: str, title: str, offset: int, new: str | None) -> str:
    """Replace, or delete, a line at an offset behind the title of a block."""
    lines = text.splitlines()
    at = next(k for k, line in enumerate(lines) if line.strip().startswith(title)) + offset
    lines[at : at + 1] = [] if new is None else [new]
    return "\n".join([*lines, ""])


FAULTS = {
    "short block": ("Force", 2, None, "block `Force` has 2 rows, expected 3"),
    "long block": ("Force", 3, " 8 0.3 0.3 0.3\n 8 0.1 0.1 0.1", "block `Force` has more rows, expected 3"),
    "not a number": ("Force", 2, "  1 nan 0.1 0.2", r"expected finite numbers, found '1 nan 0.1 0.2'"),
    "overflow": ("Force", 2, "  1 ********* 0.1 0.2", r"expected 4 numbers, found '1 \*\*\*"),
    "short row": ("Position", 1, "  72 0.1 0.2", "expected 4 numbers, found 3"),
    "element": ("Position", 1, " 140 0.1 0.2 0.3 1 1 1", "element 72 in `Force` and 140 in `Position`"),
    "no volume": ("Lattice", 3, " 0.0 6.5 0.0", "the cell spans no volume"),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_faulty_frame_names_its_line_and_can_be_skipped(tmp_path: Path, movement_text: Writer, name: str) -> None:
    title, offset, new, message = FAULTS[name]
    good = movement_text(molecule())
    n_lines = good.count("\n")
    text = good + edited(good, title, offset, new) + movement_text(molecule(0.1))
    with pytest.raises(DataFormatError, match=message) as caught:
        load(tmp_path / "MOVEMENT", text)
    assert f"{tmp_path / 'MOVEMENT'} frame 1 (line " in str(caught.value)
    line = int(str(caught.value).split("(line ")[1].split(")")[0])
    assert n_lines < line <= 2 * n_lines + 1
    frames, report = load(tmp_path / "MOVEMENT", text, skip_bad=True)
    assert [frame.index for frame in frames] == [0, 2]
    assert report.skipped == [str(caught.value)]


def test_the_line_of_a_faulty_number_is_exact(tmp_path: Path, movement_text: Writer) -> None:
    text = edited(movement_text(molecule()), "Force", 2, "  1 nan 0.1 0.2")
    line = text.splitlines().index("  1 nan 0.1 0.2") + 1
    with pytest.raises(DataFormatError, match=rf"\(line {line}\)"):
        load(tmp_path / "MOVEMENT", text)


def test_an_unknown_element(tmp_path: Path, movement_text: Writer) -> None:
    text = movement_text(molecule()).replace("\n  72 ", "\n 140 ")
    with pytest.raises(DataFormatError, match=r"MOVEMENT frame 0 \(line 1\): 140 is no atomic number"):
        load(tmp_path / "MOVEMENT", text)


def test_two_atoms_at_one_place(tmp_path: Path, movement_text: Writer) -> None:
    positions = molecule().positions.copy()
    positions[2] = positions[0] + molecule().cell[1]
    bad = movement_text(replace(molecule(), positions=positions))
    with pytest.raises(DataFormatError, match=r"frame 0 \(line 1\): atoms \d and \d are at the same place"):
        load(tmp_path / "MOVEMENT", bad)
    frames, report = load(tmp_path / "MOVEMENT", bad + movement_text(molecule()), skip_bad=True)
    assert len(frames) == len(report.skipped) == 1


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_truncated_file(tmp_path: Path, movement_text: Writer, keep: float) -> None:
    lines = movement_text(molecule(), native=False).splitlines(keepends=True)
    text = "".join(lines) + "".join(lines[: int(keep * (len(lines) - 2))])
    with pytest.raises(DataFormatError, match=r"frame 1 \(line \d+\): .*truncated"):
        load(tmp_path / "MOVEMENT", text)
    frames, report = load(tmp_path / "MOVEMENT", text, skip_bad=True)
    assert len(frames) == len(report.skipped) == 1


# real files


def test_real_forces_are_minus_the_gradient(shared_data: Path) -> None:
    """Energy changes along a trajectory against the work of the forces that were read."""
    for name in ("pwmlff_Cu/0_300_MOVEMENT", "pwmlff_EC/EC_MOVEMENT", "pwmlff_small/MOVEMENT"):
        frames = read_frames([shared_data / "raw" / name])
        change, work = [], []
        for a, b in zip(frames[:-1], frames[1:], strict=True):
            ds = (b.positions - a.positions) @ np.linalg.inv(a.cell)
            dr = (ds - np.round(ds)) @ a.cell
            change.append(float(b.energy or 0) - float(a.energy or 0))
            work.append(-np.sum((np.asarray(a.forces) + np.asarray(b.forces)) / 2 * dr))
        assert np.corrcoef(change, work)[0, 1] > 0.999, name


def test_real_movement_equals_its_extended_xyz(shared_data: Path) -> None:
    movement = read_frames([shared_data / "raw/pwmlff_Cu" / f for f in ("0_300_MOVEMENT", "1_500_MOVEMENT")])
    by_energy = {round(float(frame.energy or 0), 4): frame for frame in movement}
    folder = shared_data / "extxyz/pwmat_Cu"
    n_found = 0
    for other in read_frames([folder / "train.xyz", folder / "test.xyz"]):
        frame = by_energy.get(round(float(other.energy or 0), 4))
        if frame is not None:
            n_found += 1
            np.testing.assert_allclose(frame.forces, other.forces, atol=1e-6)
    assert n_found > 150
