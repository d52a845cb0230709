"""`pwmlff select`: which frames, which lines, which files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from families import small_section
from typer.testing import CliRunner, Result

import pwmlff
from pwmlff.cli.main import app
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError
from pwmlff.evaluate.deviation import Committee
from pwmlff.evaluate.kpu import KalmanUncertainty
from pwmlff.selection import By, select_frames


@pytest.fixture
def trajectory(tmp_path: Path, shaken: list[Frame], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shaken frames and one with two atoms nearly at one place, which is the sixth; with energies."""
    monkeypatch.chdir(tmp_path)
    positions = shaken[5].positions.copy()
    positions[1] = positions[0] + [0.0, 0.0, 0.3]
    frames = [*shaken[:5], replace(shaken[5], positions=positions), *shaken[5:]]
    write_extxyz(tmp_path / "traj.xyz", [replace(frame, energy=1.0) for frame in frames])
    return tmp_path / "traj.xyz"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["select", *map(str, words)])


def test_by_deviation(models: list[Path], trajectory: Path) -> None:
    """The first is the one the models disagree on most; all lie between the bounds; labels are left out."""
    committee = Committee.load(models, torch.device("cpu"))
    frames = [frame for k, frame in enumerate(read_frames(trajectory)) if k != 5]
    deviations = np.array([committee.deviation(frame)["max_devi_f"] for frame in frames])
    lo, hi = (float(np.sort(deviations)[k]) - 1e-9 for k in (3, 9))
    selected = select_frames(models, [trajectory], 4, lo=lo, hi=hi)
    assert selected.by is By.DEVIATION
    assert len(selected.frames) == 4
    scores = [each.score for each in selected.frames]
    assert scores[0] == max(scores) == pytest.approx(np.sort(deviations)[8])
    assert all(lo <= score < hi for score in scores)
    assert all(each.frame.energy is None for each in selected.frames)
    assert selected.lines[0] == "13 frames of 1 trajectories"
    assert selected.lines[1].startswith("dropped 1 unphysical frames; the first: ")
    assert "Cu and Cu at 0.300 Å" in selected.lines[1]
    assert f"3 accurate (below {lo:g}), 6 candidates, 3 failed ({hi:g} or more)" in selected.lines


def test_too_few_candidates(models: list[Path], trajectory: Path) -> None:
    selected = select_frames(models, [trajectory], 50)
    assert len(selected.frames) == 12
    assert selected.lines[-1] == "12 frames chosen, 50 were wanted: there are no more candidates"
    nothing = run(*models, trajectory, "--lo", "1e6")
    assert nothing.exit_code == 0
    assert "nothing is written" in nothing.output
    assert not Path("selected").exists()


def test_by_novelty_beside_training_data(models: list[Path], trajectory: Path, shaken: list[Frame]) -> None:
    """What is shaken most is newest beside a crystal that is hardly shaken."""
    write_extxyz(Path("train.xyz"), shaken[:2])
    selected = select_frames(models[:1], [trajectory], 3, train=[Path("train.xyz")])
    assert selected.by is By.FARTHEST
    assert selected.frames[0].step >= 10
    novelties = [each.score for each in selected.frames]
    assert novelties == sorted(novelties, reverse=True)


def test_by_kalman_uncertainty(trajectory: Path, cu_frames: list[Frame]) -> None:
    write_extxyz(Path("cu.xyz"), cu_frames)
    settings = {
        "model_type": "DP",
        "atom_type": ["Cu"],
        "model": small_section("DP", 4.0),
        "train_data": ["cu.xyz"],
        "optimizer": {"optimizer": "LKF", "epochs": 1},
    }
    last = pwmlff.train(settings, quiet=True).last
    selected = select_frames([last], [trajectory], 2, by=By.KPU)
    frames = [frame for k, frame in enumerate(read_frames(trajectory)) if k != 5]
    uncertainties = [KalmanUncertainty(last).of_frame(frame)["f_kpu_max"] for frame in frames]
    assert selected.frames[0].score == pytest.approx(max(uncertainties))


def test_a_folder_of_poscars(models: list[Path], trajectory: Path) -> None:
    result = run(trajectory, *models, "-n", "3", "-o", "next")
    assert result.exit_code == 0, result.output
    assert "3 frames by deviation -> next" in result.output
    rows = [line.split() for line in Path("next/selection.txt").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["0001", "0002", "0003"]
    frames = read_frames(trajectory)
    for name, step, *_ in rows:
        atoms = ase.io.read(Path("next", name, "POSCAR"))
        np.testing.assert_allclose(atoms.positions, frames[int(step)].positions, atol=1e-6)
    again = run(trajectory, *models, "-o", "next")
    assert again.exit_code == 1
    assert again.stderr == "pwmlff: error: 'next' exists already; name another with -o, or remove it\n"


def test_extended_xyz(models: list[Path], trajectory: Path) -> None:
    assert run(*models, trajectory, "-n", "2", "-o", "next.xyz", "--freq", "2").exit_code == 0
    assert [len(atoms) for atoms in ase.io.read("next.xyz", index=":")] == [32, 32]


def test_nothing_is_left_of_a_folder_that_failed(
    models: list[Path], trajectory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    result = run(*models, trajectory, "-o", "next")
    assert result.exit_code == 1
    assert "next: cannot be written (No space left on device)" in result.stderr
    assert [path.name for path in Path.cwd().iterdir()] == ["traj.xyz"]


def test_a_molecule_is_no_poscar(models: list[Path], shaken: list[Frame], trajectory: Path) -> None:
    write_extxyz(Path("free.xyz"), [replace(shaken[0], pbc=np.zeros(3, dtype=bool))])
    result = run(*models, "free.xyz")
    assert result.exit_code == 1
    assert "is not periodic, a POSCAR is: write extended XYZ, -o selected.xyz" in result.stderr


@pytest.mark.parametrize(
    ("n_models", "options", "message"),
    [
        (0, {}, "no model is named"),
        (2, {"by": By.FARTHEST}, "by farthest one model is asked, got 2"),
        (1, {"by": By.DEVIATION}, "model deviation needs at least two models, got 1"),
        (1, {"lo": 0.1}, "lo and hi are bounds of deviation or kpu"),
        (2, {"lo": 0.2, "hi": 0.1}, "lo is 0.2 and hi is 0.1, expected lo below hi"),
    ],
)
def test_what_does_not_go_together(
    models: list[Path], trajectory: Path, n_models: int, options: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        select_frames(models[:n_models], [trajectory], 2, **options)  # type: ignore[arg-type]
