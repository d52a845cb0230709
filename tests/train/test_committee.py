"""A committee from one run file: members, resuming, and what is told of their spread."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from families import small_potential
from rich.console import Console
from typer.testing import CliRunner

from pwmlff.cli.main import app
from pwmlff.config import RunConfig
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError
from pwmlff.evaluate.deviation import Committee
from pwmlff.evaluate.pair_model import PairModel
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.optim.adam import GradientUpdate
from pwmlff.train.committee import DEVIATION_FILE, held_out_deviation, member_configs, train_committee

RunFactory = Callable[..., RunConfig]


@pytest.fixture
def run_file(make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame]) -> RunConfig:
    """A short run on 18 frames, 15 of them to train on."""
    write_extxyz(tmp_path / "many.xyz", cu_frames * 3)
    return make_run(train_data=[str(tmp_path / "many.xyz")], valid_ratio=0.17)


def _train(config: RunConfig, n_members: int) -> tuple[list[Path], str]:
    text = io.StringIO()
    return train_committee(config, n_members, console=Console(file=text, width=300)), text.getvalue()


def test_members_differ_in_start_and_data(run_file: RunConfig) -> None:
    models, text = _train(run_file, 3)
    folder = run_file.model_store_dir
    assert models == [folder / f"member_{k}" / "toy_model_best.ckpt" for k in (1, 2, 3)]
    files = [load_checkpoint(path) for path in models]
    weights = [file.potential.network.heights for file in files]
    assert not torch.equal(weights[0], weights[1])
    assert len({file.state["data"]["fingerprint"] for file in files}) == 3
    assert [file.config["leave_out"] for file in files] == [[k, 10] for k in (1, 2, 3)]
    assert [file.config["split_seed"] for file in files] == [run_file.seed] * 3
    rows = np.loadtxt(folder / DEVIATION_FILE)
    assert rows.shape == (3, 7)
    assert (rows[:, 4] > 0).all()
    assert "deviation on 3 held-out frames: max_devi_f" in text
    assert "is unlike the data, worth a calculation: pwmlff select" in text


def test_finished_members_are_not_trained_again(run_file: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A committee that was stopped in its second member goes on there; one that is done trains nothing."""
    whole, _ = _train(run_file.model_copy(update={"model_store_dir": run_file.model_store_dir / "whole"}), 2)
    step = GradientUpdate.step
    n_steps = 0

    def counted(self: GradientUpdate, batch: object) -> object:
        nonlocal n_steps
        n_steps += 1
        if n_steps == 60:  # a member has 42 steps
            raise KeyboardInterrupt
        return step(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(GradientUpdate, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        _train(run_file, 2)
    models, text = _train(run_file, 2)
    assert n_steps < 60 + 42
    assert "all 3 epochs are done" in text
    assert "resuming after" in text
    for one, other in zip(whole, models, strict=True):
        first, second = (load_checkpoint(path).potential.state_dict() for path in (one, other))
        assert all(torch.equal(value, second[name]) for name, value in first.items())
    n_steps = 1000
    _train(run_file, 2)
    assert n_steps == 1000


def test_errors_beside_the_deviation(cu_frames: list[Frame], tmp_path: Path) -> None:
    """Written out in numpy: two models, the error of each, of their mean, and their spread."""
    models = [PairModel(small_potential("DP", 4.0, ["Cu"], seed=seed).frozen()) for seed in (1, 2)]
    committee = Committee({"one": models[0], "other": models[1]})
    summary = held_out_deviation(committee, cu_frames, tmp_path / "devi.out")
    forces = np.array([[result.forces for result in committee.predict(frame)] for frame in cu_frames])
    labels = np.array([frame.forces for frame in cu_frames])
    errors = np.sqrt(np.square(forces - labels[:, None]).mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(summary.member_errors, errors)
    assert summary.mean_error == pytest.approx(np.sqrt(np.square(forces.mean(axis=1) - labels).mean()))
    spread = np.linalg.norm(forces[:, 0] - forces[:, 1], axis=-1).max(axis=-1) / 2
    np.testing.assert_allclose(summary.max_devi_f, spread)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "devi.out")[:, 4], spread, rtol=1e-8)


def test_without_held_out_frames(run_file: RunConfig) -> None:
    _, text = _train(run_file.model_copy(update={"valid_ratio": 0.0}), 2)
    assert "no frame is held out (`valid_ratio` is 0)" in text


def test_what_makes_no_committee(run_file: RunConfig) -> None:
    with pytest.raises(ConfigError, match="a committee has at least 2 members, got 1"):
        member_configs(run_file, 1)
    with pytest.raises(ConfigError, match="`leave_out` is given, but each member"):
        member_configs(run_file.model_copy(update={"leave_out": (1, 5)}), 4)


def test_command(run_file: RunConfig, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", str(tmp_path / "run.json"), "--committee", "2", "--epochs", "1"])
    assert result.exit_code == 0, result.output
    assert "member 2 of 2" in result.output
    assert (run_file.model_store_dir / "member_2" / "toy_model_best.ckpt").exists()
