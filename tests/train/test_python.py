"""`pwmlff.train`: a run from a file, a dictionary or a configuration; what callbacks are told; what comes back."""

from __future__ import annotations

import json
import pydoc
from collections.abc import Callable
from pathlib import Path

import pytest

import pwmlff
from pwmlff.config import RunConfig
from pwmlff.errors import ConfigError
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.train.metrics import EpochResult
from pwmlff.train.observers import StepReport, TrainingObserver

RunFactory = Callable[..., RunConfig]


class Steps(TrainingObserver):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_step(self, report: StepReport) -> None:
        self.events.append("step")

    def end(self) -> None:
        self.events.append("end")


def test_the_three_forms_of_a_run_file(make_run: RunFactory, tmp_path: Path) -> None:
    config = make_run()
    path = tmp_path / "run.json"
    settings = json.loads(path.read_text())
    weights = []
    for number, form in enumerate((config, path, str(path), settings)):
        run = pwmlff.train(form, quiet=True, fresh=number > 0)
        weights.append(run.load().potential.network.heights.tolist())
        assert (run.folder, run.last) == (config.model_store_dir, config.model_store_dir / "toy_model.ckpt")
        assert run.best.name == "toy_model_best.ckpt"
    assert all(each == weights[0] for each in weights)


def test_callbacks_and_history(make_run: RunFactory, capsys: pytest.CaptureFixture[str]) -> None:
    """Each epoch is told when its checkpoint is written; the history is that of the whole run, also when it goes on."""
    config = make_run()
    told: list[EpochResult] = []
    steps = Steps()

    def saved(result: EpochResult) -> None:
        told.append(result)
        checkpoint = load_checkpoint(config.model_store_dir / "toy_model.ckpt")
        assert checkpoint.state["epoch"] == result.epoch + 1

    run = pwmlff.train(config, callbacks=[saved, steps], quiet=True)
    assert capsys.readouterr().out == ""
    assert [result.epoch for result in told] == [1, 2, 3]
    assert list(run.history) == told
    assert steps.events == ["step"] * 3 + ["end"]
    assert told[0].valid is not None
    assert set(told[0].valid.rmse) == {"energy", "forces"}

    longer = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"epochs": 4})})
    again = pwmlff.train(longer, callbacks=[saved], quiet=True)
    assert [result.epoch for result in told] == [1, 2, 3, 4]
    assert [result.epoch for result in again.history] == [1, 2, 3, 4]
    done = pwmlff.train(longer, callbacks=[saved], quiet=True)
    assert len(told) == 4
    assert [result.epoch for result in done.history] == [1, 2, 3, 4]


def test_an_exception_ends_the_run_and_what_was_done_is_kept(make_run: RunFactory) -> None:
    config = make_run()

    def enough(result: EpochResult) -> None:
        if result.epoch == 2:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pwmlff.train(config, callbacks=[enough], quiet=True)
    assert len(pwmlff.train(config, quiet=True).history) == 3


def test_wrong_settings() -> None:
    with pytest.raises(ConfigError, match=r"the dictionary has 1 problem:\n.*epoch: unknown key"):
        pwmlff.train({"model_type": "DP", "atom_type": ["Cu"], "epoch": 3})
    with pytest.raises(ConfigError, match=r"no run file 'none\.json'; `pwmlff init` writes one"):
        pwmlff.train("none.json")


@pytest.mark.parametrize("name", ["train", "load", "read_frames", "Model", "PwmlffCalculator"])
def test_help_begins_with_what_one_wants_to_know(name: str) -> None:
    text = pydoc.plain(pydoc.render_doc(getattr(pwmlff, name)))
    first = text.split("\n", 60)[:60]
    assert any("Args:" in line or "Attributes:" in line for line in first), text[:2000]
