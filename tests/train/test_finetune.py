"""`pwmlff finetune`: the run file it writes, and the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from families import small_potential, small_section
from typer.testing import CliRunner, Result

from pwmlff.cli.main import app
from pwmlff.config import load_config
from pwmlff.data.frame import Frame
from pwmlff.data.writers import write_extxyz
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.models.files.checkpoint import load_checkpoint, save_checkpoint
from pwmlff.models.files.nep_txt import write_nep_txt

MODELS = {"DP": "DP", "DP_TYPE_EMBEDDING": "DP", "NEP": "NEP", "NN": "NN"}


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(autouse=True)
def _folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cu_frames: list[Frame], two_element_frames: list[Frame]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_extxyz(Path("cu.xyz"), [replace(frame, virial=None) for frame in cu_frames])
    write_extxyz(Path("cuau.xyz"), two_element_frames)


def _checkpoint(model_type: str, name: str = "start.ckpt") -> None:
    config = {"model_type": MODELS[model_type], "atom_type": ["Cu"], "model": small_section(model_type, 4.0)}
    if model_type == "DP_TYPE_EMBEDDING":
        config["type_embedding"] = True
    save_checkpoint(name, small_potential(model_type, 4.0, ["Cu"], dtype="float32"), config=config)


@pytest.mark.parametrize("model_type", MODELS)
def test_settings_are_those_of_the_model(model_type: str) -> None:
    _checkpoint(model_type)
    result = run("finetune", "start.ckpt", "cuau.xyz", "--epochs", "1", "-o", "tuned")
    assert result.exit_code == 0, result.output
    assert "new elements: Au starts as a copy of Cu" in result.output
    start = load_checkpoint("start.ckpt")
    (path,) = Path("tuned").glob("*_model.ckpt")
    tuned = load_checkpoint(path)
    assert type(tuned.potential.network) is type(start.potential.network)
    assert tuned.potential.elements == ["Cu", "Au"]
    assert tuned.potential.cutoff == start.potential.cutoff
    assert tuned.config["precision"] == "float32"
    assert tuned.config["optimizer"]["optimizer"] == "LKF"
    assert tuned.config["optimizer"]["train_virial"]


def test_a_nep_txt_is_tuned() -> None:
    write_nep_txt(Path("nep.txt"), small_potential("NEP", 4.0, ["Cu"]))
    result = run("finetune", "nep.txt", "cu.xyz", "--epochs", "1", "--optimizer", "adam", "--freeze", "descriptor")
    assert result.exit_code == 0, result.output
    tuned = load_checkpoint("finetuned/nep_model.ckpt")
    assert tuned.config["optimizer"]["optimizer"] == "ADAM"
    assert not tuned.config["optimizer"]["train_virial"]  # there are no labels


def test_the_run_file_goes_on() -> None:
    """`pwmlff train` with the file that was written resumes the run, and the same command has nothing left to do."""
    _checkpoint("DP")
    words = ("finetune", "start.ckpt", "cu.xyz", "--replay", "cuau.xyz", "--epochs", "1")
    _checkpoint_of_two()
    assert run(*words).exit_code == 0
    assert "all 1 epochs are done" in run(*words).output
    config = load_config(Path("finetuned/finetune.json"))
    assert config.model_load_file == Path("start.ckpt").absolute()
    assert config.replay_data == (Path("cuau.xyz").absolute(),)
    result = run("train", "finetuned/finetune.json", "--epochs", "2")
    assert "resuming after 1 epochs" in result.output


def _checkpoint_of_two() -> None:
    config = {"model_type": "DP", "atom_type": ["Cu", "Au"], "model": small_section("DP", 4.0)}
    save_checkpoint("start.ckpt", small_potential("DP", 4.0, ["Cu", "Au"]), config=config)


def test_it_learns(cu_frames: list[Frame]) -> None:
    """The error of the start model falls by much in a few epochs."""
    _checkpoint("NEP")
    assert run("finetune", "start.ckpt", "cu.xyz", "--epochs", "10", "--energy-shift", "fit").exit_code == 0

    def error(path: str) -> float:
        results = predict_frames(load_checkpoint(path).potential, cu_frames)
        return float(
            np.sqrt(np.mean([np.square(r.forces - f.forces) for r, f in zip(results, cu_frames, strict=True)]))
        )

    assert error("finetuned/nep_model_best.ckpt") < 0.3 * error("start.ckpt")


def test_words_of_the_file() -> None:
    _checkpoint("DP")
    options = ["--energy-shift", "keep", "--seed", "5", "--valid", "cu.xyz", "--freeze", "embedding", "--epochs", "1"]
    assert run("finetune", "start.ckpt", "cu.xyz", *options).exit_code == 0
    text = Path("finetuned/finetune.json").read_text()
    assert text.startswith("// written by `pwmlff finetune`")
    settings = json.loads(text.split("\n", 1)[1])
    assert settings["energy_shift"] == "keep"
    assert settings["valid_data"] == [str(Path("cu.xyz").absolute())]
    assert settings["freeze"] == ["embedding"]
    assert "model" not in settings


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.ckpt", "cu.xyz"), "no model file 'none.ckpt'"),
        (("start.ckpt", "none.xyz"), "none.xyz"),
        (("start.ckpt", "cu.xyz", "--freeze", "neck"), "`freeze` names neck"),
        (("cu.xyz", "cu.xyz"), "'cu.xyz' is no model"),
    ],
)
def test_errors_are_one_line(words: tuple[str, ...], message: str) -> None:
    _checkpoint("DP")
    result = run("finetune", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith("pwmlff: error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
