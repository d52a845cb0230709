"""`loss.out` and `nep.restart`: as GPUMD writes them, and what is wrong with a file in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from families import small_section

from pwmlff.config import load_config
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.models.files.nep_txt import write_nep_txt
from pwmlff.optim.snes import SnesConfig, SnesUpdate
from pwmlff.optim.snes_records import read_restart, write_restart
from pwmlff.train import train

ELEMENTS = ["Cu", "Au"]


def make_nep(version: int) -> Potential:
    section = {**small_section("NEP", 4.5), "version": version, "start": "gpumd"}
    return build_potential("NEP", MODELS["NEP"].Config.model_validate(section), ELEMENTS)


def start_from(potential: Potential, path: Path) -> SnesUpdate:
    return SnesUpdate(potential, SnesConfig(nep_restart=path), steps_per_epoch=1)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_means_have_the_order_of_nep_txt(version: int, tmp_path: Path) -> None:
    potential = make_nep(version)
    write_restart(tmp_path / "nep.restart", potential.network, {}, {})
    write_nep_txt(tmp_path / "nep.txt", potential)
    numbers = [line.strip() for line in (tmp_path / "nep.txt").read_text().splitlines()[6:]]
    lines = (tmp_path / "nep.restart").read_text().splitlines()
    n_scaler = len(potential.network.scaler)  # type: ignore[arg-type]
    assert [float(line.split()[0]) for line in lines] == [float(number) for number in numbers[:-n_scaler]]
    assert all(line == f"{float(line.split()[0]):15.7e} {0.0:15.7e}" for line in lines)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_what_is_written_is_read_again(version: int, tmp_path: Path) -> None:
    potential, path = make_nep(version), tmp_path / "nep.restart"
    update = SnesUpdate(potential, SnesConfig(), steps_per_epoch=1)
    rng = np.random.default_rng(3)
    update.distribution.mean[:] = rng.standard_normal(len(update.distribution.mean))
    update.distribution.deviation[:] = rng.random(len(update.distribution.mean))
    write_restart(path, potential.network, update.report().mean, update.report().deviation)
    again = start_from(make_nep(version), path)
    np.testing.assert_allclose(again.distribution.mean, update.distribution.mean, rtol=1e-7)
    np.testing.assert_allclose(again.distribution.deviation, update.distribution.deviation, rtol=1e-7)
    weights = torch.cat([p.detach().flatten() for p in again.potential.parameters()])
    np.testing.assert_array_equal(weights, again.distribution.mean)


def test_held_weights_have_no_deviation(tmp_path: Path) -> None:
    potential, path = make_nep(4), tmp_path / "nep.restart"
    potential.hold(["descriptor"])
    update = SnesUpdate(potential, SnesConfig(sigma0=0.1), steps_per_epoch=1)
    write_restart(path, potential.network, update.report().mean, update.report().deviation)
    mean, deviation = read_restart(path, potential.network)
    for name, weight in potential.network.named_parameters():
        np.testing.assert_allclose(mean[name], weight.detach(), rtol=1e-7)
        assert np.unique(deviation[name]).tolist() == [0.1 if weight.requires_grad else 0.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read '.*nep.restart': No such file"),
        ("1 0.1\n", r"has 1 lines, expected \d+, one for each weight"),
        ("1 0.1\n0.5\n", "line 2: expected a mean and a deviation from 0 on, got `0.5`"),
        ("1 0.1 3\n", "line 1: expected a mean"),
        ("1 -0.1\n", "line 1: expected a mean"),
        ("nan 0.1\n", "line 1: expected a mean"),
    ],
)
def test_wrong_files_are_told(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "nep.restart"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        start_from(make_nep(4), path)


def test_other_models_have_no_such_file(tmp_path: Path) -> None:
    potential = build_potential("DP", MODELS["DP"].Config.model_validate(small_section("DP", 4.5)), ELEMENTS)
    with pytest.raises(ConfigError, match="`nep_restart` is for NEP"):
        start_from(potential, tmp_path / "nep.restart")


@pytest.fixture
def run(tmp_path: Path, two_element_frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("pwmlff.train.stages.optional_records", lambda files, quantities: ([], []))
    write_extxyz(tmp_path / "train.xyz", two_element_frames)
    return {
        "model_type": "NEP",
        "atom_type": ELEMENTS,
        "train_data": [str(tmp_path / "train.xyz")],
        "valid_ratio": 0.34,
        "threads": 1,
        "device": "cpu",
        "model_store_dir": str(tmp_path / "run"),
        "model": {**small_section("NEP", 4.5), "version": 4, "start": "gpumd"},
        "optimizer": {"optimizer": "SNES", "population": 6, "output_interval": 5, "epochs": 3, "train_virial": True},
    }


def test_run_writes_both_and_goes_on_from_one(run: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = train(run, quiet=True)
    lines = (folder / "loss.out").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["5", "10", "15"]
    assert all(len(line) == 8 + 3 * 11 + 6 * 13 for line in lines)
    numbers = [float(word) for word in lines[-1].split()]
    last = done.history[-1]
    assert last.valid is not None
    np.testing.assert_allclose(
        numbers[7:], [last.valid.rmse[name] for name in ("energy", "forces", "virial")], atol=6e-6
    )
    np.testing.assert_allclose(
        numbers[1], numbers[2] + numbers[3] + numbers[4] + numbers[5] + 0.1 * numbers[6], atol=3e-5
    )
    checkpoint = load_checkpoint(done.last)
    mean, deviation = read_restart(folder / "nep.restart", checkpoint.potential.network)
    weights = {name: weight.detach().numpy() for name, weight in checkpoint.potential.network.named_parameters()}
    for name, weight in weights.items():
        np.testing.assert_allclose(mean[name], weight, rtol=1e-6, atol=1e-12)
        assert (deviation[name] > 0).all()

    other = {**run, "model_store_dir": str(tmp_path / "other")}
    other["optimizer"] = {**run["optimizer"], "epochs": 1, "nep_restart": str(folder / "nep.restart")}
    train(other, quiet=True)
    first = float((tmp_path / "other" / "loss.out").read_text().split()[1])
    assert first < 1.05 * numbers[1]


def test_loss_out_goes_on_with_the_run(run: dict[str, Any], tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    train({**run, "model_store_dir": str(whole)}, quiet=True)
    short = {**run, "optimizer": {**run["optimizer"], "epochs": 2}}
    train(short, quiet=True)
    losses = tmp_path / "run" / "loss.out"
    losses.write_text(losses.read_text() + "99 of a run that was killed\n")
    train(run, quiet=True)
    for name in ("loss.out", "nep.restart"):
        assert (tmp_path / "run" / name).read_text() == (whole / name).read_text()


def test_names_of_these_files_are_taken(run: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**run, "model_name": "nep.restart"}))
    with pytest.raises(ConfigError, match=r"nep\.restart is the name of another file of the run"):
        load_config(path)
