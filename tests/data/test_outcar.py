"""OUTCAR: which steps count, and the sign of the virial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport, read_frames
from pwmlff.errors import DataFormatError

Writer = Callable[..., str]


def make_frame(seed: int, numbers: tuple[int, ...] = (3, 3, 1)) -> Frame:
    rng = np.random.default_rng(seed)
    virial = np.round(rng.normal(size=(3, 3)), 5)
    n_atoms = len(numbers)
    return Frame(
        atomic_numbers=list(numbers),
        positions=np.round(np.arange(3 * n_atoms).reshape(-1, 3) * 0.4 + rng.uniform(0, 0.2, (n_atoms, 3)), 5),
        cell=[[20.0, 0, 0], [1, 21.0, 0], [0, 2, 22.0]],
        energy=round(-3.0 - seed, 8),
        forces=np.round(rng.normal(size=(n_atoms, 3)), 6),
        virial=virial + virial.T,
    )


def load(path: Path, text: str, **options: Any) -> tuple[list[Frame], list[str]]:
    path.write_text(text)
    report = ReadReport()
    return list(read_frames([path], report=report, **options)), [note[len(str(path)) + 2 :] for note in report.notes]


def test_steps_read_back(tmp_path: Path, outcar_text: Writer) -> None:
    """The energy is the final free energy, not one of an electronic step."""
    steps = [make_frame(k) for k in range(3)]
    frames, notes = load(tmp_path / "OUTCAR", outcar_text(["Li", "H"], [2, 1], [{"frame": f} for f in steps]))
    assert notes == []
    assert [frame.index for frame in frames] == [0, 1, 2]
    for frame, expected in zip(frames, steps, strict=True):
        np.testing.assert_array_equal(frame.atomic_numbers, expected.atomic_numbers)
        np.testing.assert_allclose(frame.positions, expected.positions, atol=1e-9)
        np.testing.assert_allclose(frame.cell, expected.cell, atol=1e-9)
        np.testing.assert_allclose(frame.forces, expected.forces, atol=1e-9)
        np.testing.assert_allclose(frame.virial, expected.virial, atol=1e-9)
        assert frame.energy == expected.energy


@pytest.mark.parametrize("aborting", [None, "EDIFF was not reached (unconverged)"])
def test_unconverged_steps_are_dropped_and_counted(tmp_path: Path, outcar_text: Writer, aborting: str | None) -> None:
    steps = [{"frame": make_frame(k)} for k in range(4)]
    steps[1] |= {"n_scf": 60, "aborting": aborting}
    frames, notes = load(tmp_path / "OUTCAR", outcar_text(["Li", "H"], [2, 1], steps))
    assert [frame.index for frame in frames] == [0, 2, 3]
    assert notes == ["1 of 4 ionic steps dropped: not converged within NELM steps"]


def test_a_step_that_converges_in_its_last_iteration_counts(tmp_path: Path, outcar_text: Writer) -> None:
    frames, notes = load(tmp_path / "OUTCAR", outcar_text(["Li", "H"], [2, 1], [{"frame": make_frame(0), "n_scf": 60}]))
    assert len(frames) == 1
    assert notes == []


def test_no_converged_step_is_an_error_that_says_so(tmp_path: Path, outcar_text: Writer) -> None:
    text = outcar_text(["Li", "H"], [2, 1], [{"frame": make_frame(0), "n_scf": 60, "aborting": None}])
    with pytest.raises(DataFormatError, match="no frame found.*1 of 1 ionic steps dropped"):
        load(tmp_path / "OUTCAR", text)


def test_predicted_steps_are_not_read(tmp_path: Path, outcar_text: Writer) -> None:
    steps = [{"frame": make_frame(k), "predicted": k in (0, 2, 3)} for k in range(5)]
    frames, notes = load(tmp_path / "OUTCAR", outcar_text(["Li", "H"], [2, 1], steps))
    assert [frame.energy for frame in frames] == [-4.0, -7.0]
    np.testing.assert_allclose(frames[0].virial, make_frame(1).virial, atol=1e-9)
    assert notes == ["3 steps predicted by VASP's machine-learned force field not read"]


@pytest.mark.parametrize("n_lost", [1, 6, 14, 20])
def test_an_interrupted_file_gives_its_complete_steps(tmp_path: Path, outcar_text: Writer, n_lost: int) -> None:
    text = outcar_text(["Li", "H"], [2, 1], [{"frame": make_frame(k)} for k in range(3)], end=False)
    lines = text.rstrip("\n").splitlines()
    frames, notes = load(tmp_path / "OUTCAR", "\n".join(lines[:-n_lost]))
    assert [frame.index for frame in frames] == [0, 1]
    assert notes == [
        f"interrupted: the file ends at line {len(lines) - n_lost} in the middle of ionic step 3; "
        "2 complete steps before it"
    ]


def test_more_than_ten_species(tmp_path: Path, outcar_text: Writer) -> None:
    elements = ["H", "Li", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al", "Si"]
    numbers = (1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 13, 14)
    text = outcar_text(elements, [1] * 10 + [2, 1], [{"frame": make_frame(0, numbers)}])
    (frame,), _ = load(tmp_path / "OUTCAR", text)
    assert tuple(frame.atomic_numbers) == numbers


def test_virial_from_kilobar_and_from_touching_columns(tmp_path: Path, outcar_text: Writer) -> None:
    frame = make_frame(0)
    assert frame.virial is not None
    touching = "  Total  " + "".join(f"{frame.virial[a, a]:.5f}" for a in range(3)) + " -10000.00000" * 3
    steps = [{"frame": frame, "total": "  -----"}, {"frame": frame, "total": touching.replace(" -10000", "-10000")}]
    (from_kbar, wide), _ = load(tmp_path / "OUTCAR", outcar_text(["Li", "H"], [2, 1], steps))
    np.testing.assert_allclose(from_kbar.virial, frame.virial, atol=1e-4)
    assert wide.virial is not None
    assert wide.virial[0, 1] == -10000.0
    np.testing.assert_allclose(np.diag(wide.virial), np.diag(frame.virial), atol=1e-9)


def test_faulty_steps(tmp_path: Path, outcar_text: Writer) -> None:
    text = outcar_text(["Li", "H"], [2, 1], [{"frame": make_frame(k)} for k in range(2)])
    lines = text.splitlines()
    at = [k for k, line in enumerate(lines) if "TOTAL-FORCE" in line][1] + 3
    path = tmp_path / "OUTCAR"
    for new, message in [
        (lines[at].rsplit(maxsplit=1)[0] + " ********", r"frame 1 \(line {line}\): expected 6 numbers, found"),
        (lines[at].rsplit(maxsplit=1)[0] + " NaN", r"frame 1 \(line {line}\): expected finite numbers"),
        (lines[at - 1].rsplit(maxsplit=3)[0] + " 0.0 0.0 0.0", "at the same place"),
    ]:
        bad = "\n".join([*lines[:at], new, *lines[at + 1 :]])
        with pytest.raises(DataFormatError, match=message.format(line=at + 1)):
            load(path, bad)
        frames, _ = load(path, bad, skip_bad=True)
        assert [frame.index for frame in frames] == [0]
    with pytest.raises(DataFormatError, match="2 rows of forces, expected 3"):
        load(path, "\n".join([*lines[:at], *lines[at + 1 :]]))
    with pytest.raises(DataFormatError, match="2 POTCAR titles and 3 'ions per type'"):
        load(path, text.replace("type =          2   1", "type =   1   1   1"))


def test_a_file_cut_in_its_head(tmp_path: Path, outcar_text: Writer) -> None:
    text = outcar_text(["Li", "H"], [2, 1], [{"frame": make_frame(0)}])
    with pytest.raises(DataFormatError, match="no frame found reading it as vasp/outcar; .*interrupted"):
        load(tmp_path / "OUTCAR", text[:300])


@pytest.mark.parametrize(
    ("name", "n_frames", "n_predicted"),
    [("OUTCAR.h2o.md.10", 10, 0), ("OUTCAR.ch4.ml", 4, 10), ("OUTCAR.data_conv", 1, 0)],
)
def test_real_files(shared_data: Path, name: str, n_frames: int, n_predicted: int) -> None:
    """Counts; and labels as ASE reads them, which fixes the sign of the virial."""
    from ase.io import read

    path = shared_data / "raw" / name
    report = ReadReport()
    frames = read_frames([path], report=report)
    assert len(frames) == n_frames
    assert any(f"{n_predicted} steps predicted" in note for note in report.notes) == bool(n_predicted)
    if n_predicted:
        return  # ASE cannot tell predicted steps
    for frame, atoms in zip(frames, read(path, index=":", format="vasp-out"), strict=True):
        np.testing.assert_array_equal(frame.atomic_numbers, atoms.numbers)
        np.testing.assert_allclose(frame.positions, atoms.positions, atol=1e-9)
        np.testing.assert_allclose(frame.forces, atoms.get_forces(apply_constraint=False), atol=1e-9)
        assert frame.energy == pytest.approx(atoms.get_potential_energy(force_consistent=True))
        expected = -atoms.get_stress(voigt=False) * atoms.get_volume()
        np.testing.assert_allclose(frame.virial, expected, atol=2e-5)


@pytest.mark.parametrize(("name", "found"), [("NIONS =", "***"), ("ions per type =", "2 x")])
def test_a_head_without_numbers(tmp_path: Path, outcar_text: Writer, name: str, found: str) -> None:
    text = outcar_text(["Li", "H"], [2, 1], [{"frame": make_frame(0)}])
    lines = [line.partition(name)[0] + f"{name} {found}" if name in line else line for line in text.splitlines()]
    with pytest.raises(DataFormatError, match=r"OUTCAR \(line \d+\): .* expected numbers of atoms"):
        load(tmp_path / "OUTCAR", "\n".join(lines))
