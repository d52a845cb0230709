"""Kalman prediction uncertainty against its definition, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from families import FAMILIES, small_section
from typer.testing import CliRunner, Result

from pwmlff.cli.main import app
from pwmlff.config import load_config
from pwmlff.data.batch import collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.evaluate.kpu import COLUMNS, KalmanUncertainty
from pwmlff.models.derivatives import predict
from pwmlff.train import train_from_config


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["kpu", *words])


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cu_frames: list[Frame]) -> Path:
    """A short run with LKF, one with Adam, and a trajectory whose last frame is far from the training data."""
    path = tmp_path_factory.mktemp("kpu")
    write_extxyz(path / "train.xyz", cu_frames)
    frame = cu_frames[0]
    strange = replace(frame, positions=0.87 * frame.positions, cell=0.87 * frame.cell)
    write_extxyz(path / "traj.xyz", [cu_frames[1], cu_frames[2], strange])
    for name in ("LKF", "ADAM"):
        config = {
            "model_type": request.param,
            "atom_type": ["Cu"],
            "train_data": [str(path / "train.xyz")],
            "valid_ratio": 0.0,
            "threads": 1,
            "device": "cpu",
            "model": small_section(request.param, 4.0),
            "model_store_dir": str(path / name),
            "optimizer": {"optimizer": name, "epochs": 8},
        }
        (path / "run.json").write_text(json.dumps(config), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pwmlff.train.stages.optional_records", lambda files, quantities: ([], []))
            train_from_config(load_config(path / "run.json"))
    return path


def checkpoint(folder: Path, optimizer: str, which: str = "") -> Path:
    """Return the last checkpoint of a run, or the best."""
    (path,) = (folder / optimizer).glob(f"*_model{which}.ckpt")
    return path


def test_definition(folder: Path, cu_frames: list[Frame]) -> None:
    model = KalmanUncertainty(checkpoint(folder, "LKF"), fraction=1.0)
    uncertainty = model.of_frame(cu_frames[3])
    batch = collate([make_sample(cu_frames[3], {29: 0}, 4.0)])
    prediction = predict(model.potential, batch, virial=False, create_graph=True)
    n = len(model._vector)
    covariance = model._filter.quadratic_form(torch.eye(n, dtype=torch.float64))

    def variance(value: torch.Tensor) -> float:
        parts = torch.autograd.grad(value, model._vector.parameters, retain_graph=True, materialize_grads=True)
        gradient = torch.cat([part.reshape(-1) for part in parts])
        return float(gradient @ covariance @ gradient)

    assert prediction.forces is not None
    forces = [variance(value) for value in prediction.forces.flatten()]
    expected = [variance(prediction.energy[0] / 32), np.mean(forces), max(forces), min(forces)]
    np.testing.assert_allclose([uncertainty[name] for name in COLUMNS], expected, rtol=1e-8)


def test_command(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    model, trajectory = str(checkpoint(folder, "LKF")), str(folder / "traj.xyz")
    result = run(model, trajectory)
    assert result.exit_code == 0, result.output
    assert "3 frames -> kpu_model_devi.out" in result.stdout
    assert Path("kpu_model_devi.out").read_text().split()[:5] == ["#step", *COLUMNS]
    rows = np.loadtxt("kpu_model_devi.out")
    assert rows.shape == (3, 5)
    assert (rows[:, 4] <= rows[:, 2]).all()
    assert (rows[:, 2] <= rows[:, 3]).all()
    assert rows[2, 1] > 3 * rows[:2, 1].max()  # the compressed cell is what the model knows least
    assert run(model, trajectory, "--freq", "2", "--atoms", "1", "-o", "all.out").exit_code == 0
    assert np.loadtxt("all.out")[:, 0].tolist() == [0, 2]


@pytest.mark.parametrize("folder", ["DP"], indirect=True)  # which can be compressed
def test_clear_errors(folder: Path, tmp_path: Path) -> None:
    trajectory = str(folder / "traj.xyz")
    result = run(str(checkpoint(folder, "ADAM")), trajectory)
    assert result.exit_code == 1
    assert "has no covariance P: it was trained with ADAM" in result.output
    result = run(str(checkpoint(folder, "LKF", "_best")), trajectory)
    assert "it holds a model only; expected the last checkpoint (not the best)" in result.output
    model = str(checkpoint(folder, "LKF"))
    for kind, file in (("exported", "m.pt"), ("compressed", "c.ckpt")):
        made_by = (["export", model, "-o"] if kind == "exported" else ["compress", model, "-s"]) + [
            str(tmp_path / file)
        ]
        assert CliRunner().invoke(app, made_by).exit_code == 0
        result = run(str(tmp_path / file), trajectory)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert f"{kind} model, which keeps the model only" in result.stderr
        assert "expected the last checkpoint" in result.stderr
    assert "would replace an input" in run(model, trajectory, "-o", trajectory).output
    assert "expected a number in (0, 1]" in run(model, trajectory, "--atoms", "0").output
