"""Commands under the names that PWMLFF and MatPL have for them, and `pwmlff init --from`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from families import small_potential, small_section
from typer.testing import CliRunner

from pwmlff.cli.main import app
from pwmlff.models.files import read_model
from pwmlff.models.files.checkpoint import save_checkpoint

runner = CliRunner()


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    config = {"model_type": "DP", "atom_type": ["Hf", "O"], "model": small_section("DP", 4.0)}
    save_checkpoint(Path("dp_model.ckpt"), small_potential("DP", 4.0, ["Hf", "O"]), config=config)
    return Path("dp_model.ckpt")


@pytest.mark.parametrize(
    ("words", "file"), [([], "dp_model.pt"), (["jit_dp"], "jit_dp.pt"), (["out/jit.pt"], "out/jit.pt")]
)
def test_script_is_export(checkpoint: Path, words: list[str], file: str) -> None:
    result = runner.invoke(app, ["script", str(checkpoint), *words])
    assert result.exit_code == 0, result.output
    assert f"LAMMPS: pair_style pwmlff {file}" in result.output
    assert read_model(file).potential.elements == ["Hf", "O"]


@pytest.mark.parametrize(
    ("command", "instead"),
    [("totxt", "--format nep"), ("extract_ff", "pwmlff export"), ("model_devi", "pwmlff devi"), ("gen_feat", "train")],
)
def test_commands_with_another_name_here(command: str, instead: str) -> None:
    result = runner.invoke(app, [command, "a"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert instead in result.output


@pytest.mark.parametrize("command", ["export", "compress", "script"])
def test_an_exported_model_is_called_that(checkpoint: Path, command: str) -> None:
    assert runner.invoke(app, ["export", str(checkpoint)]).exit_code == 0
    result = runner.invoke(app, [command, "dp_model.pt"])
    assert result.exit_code == 1
    assert "'dp_model.pt' is an exported model" in result.output


def test_an_exported_model_does_not_start_a_training(checkpoint: Path) -> None:
    assert runner.invoke(app, ["export", str(checkpoint)]).exit_code == 0
    Path("a.xyz").touch()
    run = {"model_type": "DP", "atom_type": ["Hf"], "train_data": ["a.xyz"], "model_load_file": "dp_model.pt"}
    Path("train.json").write_text(json.dumps(run))
    result = runner.invoke(app, ["train", "train.json"])
    assert "'dp_model.pt' is an exported model, which cannot be trained; start from the checkpoint" in result.output


def test_init_from_an_input_of_deepmd_kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = {"type_map": ["Cu"], "descriptor": {"type": "se_e2_a", "sel": [50]}, "fitting_net": {}}
    Path("input.json").write_text(json.dumps({"model": model, "training": {"training_data": {"systems": ["a"]}}}))
    result = runner.invoke(app, ["init", "--from", "input.json", "-o", "run.json"])
    assert result.exit_code == 0, result.output
    assert "no counterpart: model.descriptor.sel: [50]" in result.output
    assert "wrote run.json; next: pwmlff train run.json" in result.output
    again = runner.invoke(app, ["init", "--from", "input.json", "-o", "run.json"])
    assert "'run.json' exists already" in again.output


def test_the_order_of_compress_is_called_that() -> None:
    text = " ".join(runner.invoke(app, ["compress", "--help"], env={"COLUMNS": "200"}).output.split())
    assert "Order of the polynomials, 3 or 5; -s names the output" in text
