"""Several optimizers in one run: what passes from stage to stage, what counts over all, what may change later."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch.optim import Adam
from typer.testing import CliRunner

from pwmlff.cli.main import app
from pwmlff.config import RunConfig, load_config
from pwmlff.data.batch import Batch
from pwmlff.models.files.checkpoint import load_checkpoint, load_potential
from pwmlff.optim import OPTIMIZERS, ErrorSums
from pwmlff.train import TrainingStopped, train_from_config
from pwmlff.train.committee import train_committee
from pwmlff.train.metrics import EpochResult
from pwmlff.train.trainer import Trainer, history_of

RunFactory = Callable[..., RunConfig]
ADAM = {"optimizer": "ADAM", "epochs": 3, "batch_size": 1, "learning_rate": 1e-2}
LKF = {"optimizer": "LKF", "epochs": 2, "batch_size": 2}
_N_STEPS = (4, 2)  # of an epoch of the two
_SECONDS_COLUMN = 3  # of a history row


class Killed(BaseException):
    """Stands for a process that ends without a chance to clean up."""


@pytest.fixture
def make_stages(make_run: RunFactory) -> RunFactory:
    """Return a function that makes a run of several stages."""

    def make(folder: str = "run", stages: list[dict[str, Any]] | None = None, **top: Any) -> RunConfig:
        path = make_run(folder).model_store_dir.with_suffix(".json")
        run = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**run, "optimizer": stages or [ADAM, LKF], **top}), encoding="utf-8")
        return load_config(path)

    return make


def _train(config: RunConfig, **options: Any) -> str:
    text = io.StringIO()
    train_from_config(config, console=Console(file=text, width=200), **options)
    return text.getvalue()


def _last(config: RunConfig) -> Path:
    return config.model_store_dir / config.model_name


def _history(config: RunConfig) -> list[EpochResult]:
    return history_of(load_checkpoint(_last(config)))


def _tensors(config: RunConfig) -> dict[str, torch.Tensor]:
    """Return all that the last and best checkpoints hold, save how long it took."""
    checkpoint = load_checkpoint(_last(config))
    tensors = {**checkpoint.tensors, **checkpoint.potential.state_dict()}
    tensors["history"] = tensors["history"].clone()
    tensors["history"][:, _SECONDS_COLUMN] = 0
    best = load_potential(_last(config).with_name("toy_model_best.ckpt"))
    return tensors | {f"best/{name}": value for name, value in best.state_dict().items()}


def _assert_same(one: RunConfig, other: RunConfig) -> None:
    first, second = _tensors(one), _tensors(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value.nan_to_num(), second[name].nan_to_num()), name


def _fail_at(patch: pytest.MonkeyPatch, n_steps: int) -> None:
    """Let the run end without a chance to clean up when so many steps are done, of all stages."""
    count = 0
    for name in ("ADAM", "LKF"):

        def deadly(self: Any, batch: Batch, step: Any = OPTIMIZERS[name].step) -> ErrorSums:
            nonlocal count
            if count == n_steps:
                raise Killed
            count += 1
            return step(self, batch)

        patch.setattr(OPTIMIZERS[name], "step", deadly)


def test_epochs_steps_tables_and_best_count_over_all_stages(make_stages: RunFactory) -> None:
    config = make_stages()
    text = _train(config)
    assert "stage 1 of 2: ADAM, epochs 1 to 3" in text
    assert "stage 2 of 2: LKF, epochs 4 to 5" in text
    assert text.count("root mean square errors of") == 2
    assert "ADAM will do" not in text  # a few epochs of it are meant
    history = _history(config)
    assert [result.epoch for result in history] == [1, 2, 3, 4, 5]
    assert [result.n_steps for result in history] == [4, 8, 12, 14, 16]
    assert [result.learning_rate is None for result in history] == [False] * 3 + [True] * 2
    rows = np.loadtxt(config.model_store_dir / "epoch_train.dat", skiprows=1)
    assert rows[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert np.isnan(rows[:, -2]).tolist() == [False] * 3 + [True] * 2  # learning rates
    assert history[-1].is_best  # LKF is much better here than three epochs of Adam
    best = load_potential(_last(config).with_name("toy_model_best.ckpt"))
    for name, value in load_potential(_last(config)).state_dict().items():
        torch.testing.assert_close(best.state_dict()[name], value)
    assert json.loads((config.model_store_dir / "std_input.json").read_text())["optimizer"][1]["optimizer"] == "LKF"


def test_a_stage_that_makes_it_worse_leaves_the_best_model(make_stages: RunFactory) -> None:
    wild = {**ADAM, "learning_rate": 3.0, "stop_lr": 3.0, "epochs": 2}
    config = make_stages(stages=[LKF, wild])
    text = _train(config)
    history = _history(config)
    assert not any(result.is_best for result in history[2:])
    assert f"best, epoch {max(r.epoch for r in history if r.is_best)}: " in text


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_stage_begins_with_what_the_one_before_has_left(
    make_stages: RunFactory, make_run: RunFactory, ema_decay: float | None
) -> None:
    """And otherwise as a run that starts from that model: the same batches would come, were it the first epoch."""
    config, alone = make_stages(ema_decay=ema_decay), make_run("alone", optimizer=ADAM, ema_decay=ema_decay)
    _train(alone)
    left = load_potential(_last(alone)).state_dict()
    begun = []
    strategy = OPTIMIZERS["LKF"]
    make = strategy.__init__

    def watched(self: Any, potential: Any, *arguments: Any, **keys: Any) -> None:
        begun.append({name: value.clone() for name, value in potential.state_dict().items()})
        make(self, potential, *arguments, **keys)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strategy, "__init__", watched)
        _train(config)
    (state,) = begun
    assert state.keys() == left.keys()
    for name, value in left.items():
        assert torch.equal(state[name], value), name


@pytest.mark.parametrize("killed_at", [4, 7, 12, 13, 15])
@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_killed_and_resumed_is_uninterrupted(make_stages: RunFactory, ema_decay: float | None, killed_at: int) -> None:
    # on an epoch's end, within the first stage, between the stages, within the second
    stages = [{**ADAM, "save_step": 3}, {**LKF, "save_step": 3}]
    whole, parts = (make_stages(name, stages, ema_decay=ema_decay) for name in ("whole", "parts"))
    _train(whole)
    with pytest.MonkeyPatch.context() as patch:
        _fail_at(patch, killed_at)
        with pytest.raises(Killed):
            _train(parts)
    torch.manual_seed(99)  # whatever happens between the parts
    assert "resuming after" in _train(parts)
    _assert_same(whole, parts)


def test_stopped_in_the_second_stage(make_stages: RunFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = make_stages("whole"), make_stages("parts")
    _train(whole)
    after_step = Trainer._after_step

    def asked(self: Trainer) -> None:
        self._stop.requested = self._stop.requested or self.n_steps == 15
        after_step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_after_step", asked)
        with pytest.raises(TrainingStopped, match="epoch 5 after step 15"):
            _train(parts)
    assert "resuming after 4 epochs and 1 batches" in _train(parts)
    _assert_same(whole, parts)


def test_later_stages_may_change_and_be_added(make_stages: RunFactory, make_run: RunFactory) -> None:
    whole = make_stages("whole", [ADAM, LKF, {**ADAM, "epochs": 1}])
    _train(whole)
    first = make_run("parts", optimizer=ADAM)
    _train(first)
    text = _train(make_stages("parts", [ADAM, {**LKF, "epochs": 1}]))
    assert "optimizer[1]: None -> 'LKF'" in text
    assert "stage 2 of 2: LKF, epochs 4 to 4" in text
    text = _train(make_stages("parts", [ADAM, LKF]))
    assert "optimizer[1].epochs: 1 -> 2" in text
    _train(make_stages("parts", [ADAM, LKF, {**ADAM, "epochs": 1}]))
    assert "all 6 epochs are done; raise `epochs` of the last stage, or add one" in _train(
        make_stages("parts", [ADAM, LKF, {**ADAM, "epochs": 1}])
    )
    _assert_same(whole, make_stages("parts", [ADAM, LKF, {**ADAM, "epochs": 1}]))


@pytest.mark.parametrize(
    ("stages", "line"),
    [
        ([{**ADAM, "epochs": 4}, LKF], "optimizer[0].epochs: 3 -> 4"),
        ([{**ADAM, "learning_rate": 2e-2}, LKF], "optimizer[0].learning_rate: 0.01 -> 0.02"),
        ([ADAM, {**LKF, "p_max": 3}], "optimizer[1].p_max: 100.0 -> 3.0"),
        ([ADAM], "optimizer[1]: 'LKF' -> None"),
        ([ADAM, ADAM], "of a run with LKF, this one is with ADAM"),
    ],
)
def test_stages_that_are_done_may_not_change(make_stages: RunFactory, stages: list[dict[str, Any]], line: str) -> None:
    _train(make_stages())
    text = _train(make_stages(stages=stages))
    assert line in text
    assert "starting anew" in text


def test_a_list_of_one_is_a_run_of_one(make_stages: RunFactory, make_run: RunFactory) -> None:
    one, other = make_run("one", optimizer=ADAM), make_stages("other", [ADAM])
    text = _train(one)
    assert "stage 1" not in text
    assert "stage 1" not in _train(other)
    _assert_same(one, other)
    shutil.copytree(one.model_store_dir, other.model_store_dir, dirs_exist_ok=True)
    assert "all 3 epochs are done; raise `epochs` to go on" in _train(other)


def test_early_stop_goes_on_to_the_next_stage(make_stages: RunFactory) -> None:
    stuck = {**ADAM, "epochs": 9, "learning_rate": 1e-30, "stop_lr": 1e-31}
    config = make_stages(stages=[stuck, LKF], early_stop=2)
    text = _train(config)
    assert "stage 1 ended early after 2 epochs that were no better than epoch 1" in text
    assert "stage 2 of 2: LKF, epochs 4 to 5" in text
    assert [result.n_steps for result in _history(config)] == [4, 8, 12, 14, 16]
    config = make_stages("last", [ADAM, {**stuck, "epochs": 7}], early_stop=3)
    text = _train(config)
    assert len(_history(config)) == 6  # the second stage had its three epochs
    assert "6 epochs in" in text
    assert ", ended early after 3 epochs that were no better than epoch " in text
    assert "the run has ended early" in _train(config)


def test_members_of_a_committee_have_all_stages(make_stages: RunFactory, frames_file: Path) -> None:
    config = make_stages(train_data=[str(frames_file)] * 3)
    text = io.StringIO()
    best = train_committee(config, 2, console=Console(file=text, width=200))
    assert len(best) == 2
    assert text.getvalue().count("stage 2 of 2: LKF") == 2


def test_stages_start_from_a_model_too(make_stages: RunFactory, make_run: RunFactory) -> None:
    first = make_run("first")
    _train(first)
    assert "stage 2 of 2" in _train(make_stages("second", model_load_file=str(_last(first)), atom_type=[]))


def test_number_of_epochs_is_not_given_for_all_stages(make_stages: RunFactory, tmp_path: Path) -> None:
    make_stages()
    result = CliRunner().invoke(app, ["train", str(tmp_path / "run.json"), "--epochs", "3"])
    assert result.exit_code == 1
    assert "lists 2 optimizers; give each its `epochs` there" in " ".join(result.output.split())


def test_memory_is_that_of_the_largest_stage(make_stages: RunFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIMIZERS["LKF"], "state_size", classmethod(lambda *_: 1 << 60))
    with pytest.raises(Exception, match="the state of LKF"):
        _train(make_stages())


def test_optimizer_of_a_stage_that_is_done_is_gone(make_stages: RunFactory) -> None:
    """A second covariance beside the first could be too large."""
    alive = []
    make = Adam.__init__

    def watched(self: Adam, *arguments: Any, **keys: Any) -> None:
        import weakref

        make(self, *arguments, **keys)
        alive.append(weakref.ref(self))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adam, "__init__", watched)
        begun: list[bool] = []
        build = OPTIMIZERS["LKF"].__init__

        def check(self: Any, *arguments: Any, **keys: Any) -> None:
            begun.append(alive[0]() is None)
            build(self, *arguments, **keys)

        patch.setattr(OPTIMIZERS["LKF"], "__init__", check)
        _train(make_stages())
    assert begun == [True]
