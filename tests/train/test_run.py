"""Whole runs: what is written, what is printed, what resumes, what stops."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from families import FAMILIES, small_section
from rich.console import Console

from pwmlff.config import RunConfig
from pwmlff.config.run import OWN_FILES
from pwmlff.data.batch import Batch, Sample, make_sample
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError, DataFormatError, ModelFileError, TrainingError
from pwmlff.models import predict
from pwmlff.models.files.checkpoint import load_checkpoint, load_potential
from pwmlff.optim import OPTIMIZERS, ErrorSums, UpdateStrategy
from pwmlff.optim.base import RunLostError
from pwmlff.optim.gradient import GradientUpdate
from pwmlff.train import EXIT_STOPPED, Trainer, TrainingStopped, train_from_config
from pwmlff.train.lock import LOCK_NAME

RunFactory = Callable[..., RunConfig]
_SECONDS_COLUMN = 3  # of a history row
_WITHOUT_SECONDS = 74  # characters of a line of epoch_valid.dat before the time


class Killed(BaseException):
    """Stands for a process that ends without a chance to clean up."""


def _train(config: RunConfig, **options: Any) -> str:
    text = io.StringIO()
    train_from_config(config, console=Console(file=text, width=200), **options)
    return text.getvalue()


def _tensors(config: RunConfig) -> dict[str, torch.Tensor]:
    """Return all that the last and best checkpoints hold, save how long it took."""
    last = config.model_store_dir / config.model_name
    checkpoint = load_checkpoint(last)
    tensors = {**checkpoint.tensors, **checkpoint.potential.state_dict()}
    tensors["history"] = tensors["history"].clone()
    tensors["history"][:, _SECONDS_COLUMN] = 0
    best = load_potential(last.with_name(last.name.replace(".ckpt", "_best.ckpt")))
    return tensors | {f"best/{name}": value for name, value in best.state_dict().items()}


def _assert_same(one: RunConfig, other: RunConfig) -> None:
    first, second = _tensors(one), _tensors(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value.nan_to_num(), second[name].nan_to_num()), name


def _kill_at_step(monkeypatch: pytest.MonkeyPatch, strategy: type[UpdateStrategy], n_steps: int) -> None:
    step = strategy.step

    def deadly(self: UpdateStrategy, batch: Batch) -> ErrorSums:
        if self.n_steps == n_steps:
            raise Killed
        return step(self, batch)

    monkeypatch.setattr(strategy, "step", deadly)


def _make_sample_with_fault(frame: Frame, type_of: dict[int, int], cutoff: float) -> Sample:
    sample = make_sample(frame, type_of, cutoff)
    if frame.index == 1:
        sample.neighbors.pair_vectors[0] = np.nan
    return sample


def test_files_of_a_run(make_run: RunFactory) -> None:
    config = make_run(optimizer={"train_virial": True})
    text = _train(config)
    folder = config.model_store_dir
    names = {path.name for path in folder.iterdir()}
    assert {"toy_model.ckpt", "toy_model_best.ckpt", "epoch_train.dat", "epoch_valid.dat", "std_input.json"} <= names
    assert names - {"toy_model.ckpt", "toy_model_best.ckpt"} <= set(OWN_FILES)
    assert LOCK_NAME in OWN_FILES
    assert RunConfig.model_validate(json.loads((folder / "std_input.json").read_text())) == config
    header = (folder / "epoch_train.dat").read_text().split("\n")[0].split()
    assert header == [
        "epoch", "loss", "RMSE_Etot(eV/atom)", "RMSE_F(eV/Å)", "RMSE_virial(eV/atom)", "real_lr", "time(s)",
    ]  # fmt: skip
    assert np.loadtxt(folder / "epoch_train.dat", skiprows=1).shape == (3, 7)
    assert np.loadtxt(folder / "epoch_valid.dat", skiprows=1).shape == (3, 6)
    assert "4 training frames (128 atoms), 2 validation frames" in text
    assert "labels used: energy on 4 of 4 frames, forces on 4 of 4 frames, virial on 4 of 4 frames" in text
    assert "epoch" in text


def test_training_learns(make_run: RunFactory) -> None:
    config = make_run(optimizer={"epochs": 25, "learning_rate": 2e-2, "stop_lr": 1e-3})
    _train(config)
    rows = np.loadtxt(config.model_store_dir / "epoch_valid.dat", skiprows=1)
    assert rows[-1, 3] < 0.5 * rows[0, 3]  # forces


def test_any_optimizer_trains_any_model(make_run: RunFactory) -> None:
    config = make_run(optimizer={"optimizer": "RANDOM", "epochs": 20})
    _train(config)
    rows = np.loadtxt(config.model_store_dir / "epoch_train.dat", skiprows=1)
    assert rows[-1, 1] < rows[0, 1]
    assert np.isnan(rows[:, -2]).all()  # no learning rate


@pytest.mark.parametrize("killed_at", [4, 6, 8])
@pytest.mark.parametrize(
    ("strategy", "ema_decay"), [("ADAM", None), ("ADAM", 0.9), ("RANDOM", None), ("LKF", None), ("SNES", None)]
)
def test_killed_and_resumed_is_uninterrupted(
    make_run: RunFactory, strategy: str, ema_decay: float | None, killed_at: int
) -> None:
    # four steps per epoch: the kills fall on an epoch's end, on a saved step and on one that was not saved
    keys = {"optimizer": {"optimizer": strategy, "save_step": 3, "output_interval": 4}, "ema_decay": ema_decay}
    whole, parts = make_run("whole", **keys), make_run("parts", **keys)
    _train(whole)
    with pytest.MonkeyPatch.context() as patch:
        _kill_at_step(patch, OPTIMIZERS[strategy], killed_at)
        with pytest.raises(Killed):
            _train(parts)
    torch.manual_seed(99)  # whatever happens between the parts
    assert "resuming after" in _train(parts)
    _assert_same(whole, parts)
    columns = [(p.model_store_dir / "epoch_valid.dat").read_text().split("\n") for p in (whole, parts)]
    assert [line[:_WITHOUT_SECONDS] for line in columns[0]] == [line[:_WITHOUT_SECONDS] for line in columns[1]]


@pytest.mark.parametrize("strategy", ["ADAM", "LKF"])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_families_resume(make_run: RunFactory, model_type: str, strategy: str) -> None:
    keys = {"optimizer": {"optimizer": strategy, "save_step": 3}, "ema_decay": 0.9}
    keys |= {"model_type": model_type, "model": small_section(model_type, 4.0)}
    whole, parts = make_run("whole", **keys), make_run("parts", **keys)
    _train(whole)
    with pytest.MonkeyPatch.context() as patch:
        _kill_at_step(patch, OPTIMIZERS[strategy], 7)
        with pytest.raises(Killed):
            _train(parts)
    torch.manual_seed(99)
    assert "resuming after" in _train(parts)
    _assert_same(whole, parts)


@pytest.mark.parametrize("settings", [{"optimizer": "LKF", "nselect": 12, "parts": 2}, {"optimizer": "SNES"}])
def test_nothing_depends_on_where_the_data_lie(
    make_run: RunFactory, tmp_path: Path, frames_file: Path, settings: dict[str, Any]
) -> None:
    moved = tmp_path / "elsewhere" / "renamed.xyz"
    moved.parent.mkdir()
    moved.write_bytes(frames_file.read_bytes())
    here, there = make_run("here", optimizer=settings), make_run("there", optimizer=settings, train_data=[str(moved)])
    _train(here)
    _train(there)
    _assert_same(here, there)


def test_slow_checkpoints_are_written_less_often(make_run: RunFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = make_run("whole"), make_run("parts")
    _train(whole)
    monkeypatch.setattr("pwmlff.train.trainer._LONG_SAVE", 0.0)
    monkeypatch.setattr("pwmlff.train.trainer._SAVE_PAUSE", 1e9)
    last = parts.model_store_dir / parts.model_name
    with pytest.MonkeyPatch.context() as patch:
        _kill_at_step(patch, OPTIMIZERS["ADAM"], 9)  # in the third epoch
        with pytest.raises(Killed):
            _train(parts)
    assert load_checkpoint(last).state["epoch"] == 2  # written after the first
    _train(parts)
    assert load_checkpoint(last).state["epoch"] == 4
    _assert_same(whole, parts)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_finishes_the_step_saves_and_resumes(
    make_run: RunFactory, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    whole, parts = make_run("whole"), make_run("parts")
    _train(whole)
    step = GradientUpdate.step

    def signalled(self: GradientUpdate, batch: Batch) -> ErrorSums:
        if self.n_steps == 5:
            signal.raise_signal(number)
        return step(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(GradientUpdate, "step", signalled)
        with pytest.raises(TrainingStopped, match="epoch 2 after step 6"):
            _train(parts)
    checkpoint = load_checkpoint(parts.model_store_dir / parts.model_name)
    assert (checkpoint.state["epoch"], checkpoint.state["batch"]) == (2, 2)
    assert "resuming after 1 epochs and 2 batches" in _train(parts)
    _assert_same(whole, parts)


def test_signal_during_validation_keeps_the_trained_weights(
    make_run: RunFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the averaged weights are in place while validating; what is saved must not be a mixture
    whole, parts = make_run("whole", ema_decay=0.8), make_run("parts", ema_decay=0.8)
    _train(whole)
    evaluate = Trainer.evaluate

    def signalled(self: Trainer, data: FrameDataset) -> ErrorSums:
        signal.raise_signal(signal.SIGTERM)
        return evaluate(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "evaluate", signalled)
        with pytest.raises(TrainingStopped):
            _train(parts)
    _train(parts)
    _assert_same(whole, parts)


def test_sigterm_ends_the_command_with_its_exit_code(make_run: RunFactory, tmp_path: Path, frames_file: Path) -> None:
    run = {
        "model_type": "DP",
        "atom_type": ["Cu"],
        "train_data": [str(frames_file)],
        "threads": 1,
        "device": "cpu",
        "model_store_dir": str(tmp_path / "run"),
        "model": {
            "descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 2},
            "fitting_net": {"network_size": [6, 1]},
        },
        "optimizer": {"optimizer": "ADAM", "epochs": 100_000},
    }
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "pwmlff", "train", "run.json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    checkpoint = tmp_path / "run" / "dp_model.ckpt"
    waiting_until = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < waiting_until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == EXIT_STOPPED == 75, output
    assert "run the same command to go on" in output
    assert load_checkpoint(checkpoint).state["epoch"] >= 1


def test_loss_that_is_not_finite_names_the_frame(make_run: RunFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_run(data_shuffle=False, optimizer={"batch_size": 4, "epochs": 2})
    _train(make_run(data_shuffle=False, optimizer={"batch_size": 4, "epochs": 1}))
    before = (config.model_store_dir / config.model_name).read_bytes()
    monkeypatch.setattr("pwmlff.data.dataset.make_sample", _make_sample_with_fault)
    with pytest.raises(TrainingError, match=r"not finite in .*cu\.xyz frame 1 .*; look at"):
        _train(config)
    assert (config.model_store_dir / config.model_name).read_bytes() == before


def test_run_that_is_lost_keeps_its_best_model(make_run: RunFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_run(optimizer={"epochs": 5})
    _train(make_run(optimizer={"epochs": 2}))
    (best,) = config.model_store_dir.glob("*_best.ckpt")
    before = best.read_bytes()

    def step(self: UpdateStrategy, batch: Batch) -> ErrorSums:
        raise RunLostError("the errors have grown")

    monkeypatch.setattr(GradientUpdate, "step", step)
    with pytest.raises(TrainingError, match=rf"the errors have grown; the best model so far is {best}"):
        _train(config)
    assert best.read_bytes() == before


def test_finished_run_says_so_and_goes_on_with_more_epochs(make_run: RunFactory) -> None:
    _train(make_run())
    assert "all 3 epochs are done" in _train(make_run())
    text = _train(make_run(optimizer={"epochs": 5}))
    assert "optimizer.epochs: 3 -> 5" in text
    assert len(np.loadtxt(make_run().model_store_dir / "epoch_train.dat", skiprows=1)) == 5


def test_end_names_errors_files_and_the_next_command(make_run: RunFactory) -> None:
    config = make_run()
    text = _train(config)
    assert "3 epochs in " in text
    assert "errors of validation frames" in text
    assert re.search(r"last, epoch 3: energy \S+ meV/atom, forces \S+ eV/Å, \S+model.ckpt", text)  # no virials
    assert f"next: pwmlff test {config.model_store_dir / 'toy_model_best.ckpt'}" in text
    assert "ADAM will do" in text  # a run that short


def test_run_that_gets_no_better_ends_early(make_run: RunFactory) -> None:
    never_better = make_run(
        optimizer={"epochs": 9, "learning_rate": 1e-30, "stop_lr": 1e-31}, early_stop=2, ema_decay=0
    )
    text = _train(never_better)
    assert "ended early after 2 epochs that were no better than epoch 1" in text
    assert len(np.loadtxt(never_better.model_store_dir / "epoch_train.dat", skiprows=1)) == 3
    assert "has ended early" in _train(never_better)
    longer = make_run(optimizer={"epochs": 9, "learning_rate": 1e-30, "stop_lr": 1e-31}, early_stop=4, ema_decay=0)
    assert "resuming after 3 epochs" in _train(longer)


@pytest.mark.parametrize("why", ["configuration", "fresh", "recover", "frames"])
def test_other_run_in_the_folder_is_kept_aside(make_run: RunFactory, frames_file: Path, why: str) -> None:
    first = make_run()
    _train(first)
    before = (first.model_store_dir / first.model_name).read_bytes()
    changes: dict[str, Any] = {
        "configuration": {"seed": 7},
        "recover": {"recover_train": False},
        "frames": {"train_data": [str(frames_file.with_name("fewer.xyz"))]},
    }.get(why, {})
    if why == "frames":
        from ase.io import read, write

        write(frames_file.with_name("fewer.xyz"), read(frames_file, index=":-1"))
    text = _train(make_run(**changes), fresh=why == "fresh")
    assert "starting anew" in text
    assert (first.model_store_dir / "toy_model.previous.ckpt").read_bytes() == before
    assert (first.model_store_dir / "toy_model_best.previous.ckpt").exists()


def test_damaged_checkpoint_is_an_error_not_a_new_start(make_run: RunFactory) -> None:
    config = make_run()
    _train(config)
    path = config.model_store_dir / config.model_name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ModelFileError, match="truncated"):
        _train(config)
    _train(config, fresh=True)
    assert path.with_name("toy_model.previous.ckpt").exists()


def test_start_from_a_model(make_run: RunFactory) -> None:
    first = make_run("first")
    _train(first)
    model = first.model_store_dir / "toy_model_best.ckpt"
    slow = {"learning_rate": 1e-9, "stop_lr": 1e-9}
    second = make_run("second", model_load_file=str(model), atom_type=[], optimizer=slow)
    _train(second)
    old, new = load_potential(model), load_potential(second.model_store_dir / second.model_name)
    assert new.elements == ["Cu"]
    for name, value in old.state_dict().items():
        torch.testing.assert_close(new.state_dict()[name], value, rtol=0, atol=1e-7)
    with pytest.raises(ModelFileError, match="does not fit the `model` section") as error:
        _train(make_run("third", model_load_file=str(model), model={"n_gaussians": 3}))
    assert "n_gaussians is 3 here and " in str(error.value)
    assert "state_dict" not in str(error.value)


def test_start_from_a_model_of_another_kind(make_run: RunFactory) -> None:
    first = make_run("first")
    _train(first)
    other = {"model_type": "DP", "model": small_section("DP", 4.0), "optimizer": {"optimizer": "ADAM", "epochs": 1}}
    with pytest.raises(ModelFileError, match="the start model is a GaussianPairs, the run file asks for a DeepPotent"):
        _train(make_run("second", model_load_file=str(first.model_store_dir / "toy_model.ckpt"), **other))


def test_another_optimizer_is_told_as_that(make_run: RunFactory) -> None:
    """And not as the keys that the one has and the other has not."""
    _train(make_run())
    output = _train(make_run(optimizer={"optimizer": "LKF", "learning_rate": None}, seed=5))
    assert "the checkpoint found is of a run with ADAM, this one is with LKF, which cannot go on from the" in output
    assert "changed besides:\n  seed: 2023 -> 5\n" in output
    assert "optimizer." not in output.split("changed besides")[1]


def test_all_missing_paths_are_named_at_once(make_run: RunFactory) -> None:
    names = {"train_data": ["a.xyz", "b.xyz"], "valid_data": ["c.xyz"], "model_load_file": "d.ckpt"}
    with pytest.raises(DataFormatError, match=r"d\.ckpt, a\.xyz, b\.xyz, c\.xyz do not exist"):
        _train(make_run(**names))


def test_isolated_atoms_tell_the_zero_of_energy(make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame]) -> None:
    atom = Frame(atomic_numbers=[29], positions=[[0, 0, 0]], cell=np.eye(3) * 15.0, energy=-0.5, forces=[[0, 0, 0]])
    write_extxyz(tmp_path / "a.xyz", [*cu_frames, atom])
    config = make_run(train_data=[str(tmp_path / "a.xyz")], valid_ratio=0.0)
    output = _train(config)
    assert "6 training frames (192 atoms), 0 validation frames" in output
    assert "1 isolated atoms, the first in " in output
    assert "energies of isolated atoms (eV): Cu -0.5000" in output
    per_atom = np.mean([(frame.energy + 0.5 * 32) / 32 for frame in cu_frames]) - 0.5
    assert f"energy shift (eV): Cu {per_atom:.4f}" in output
    fresh = _train(make_run("other", train_data=[str(tmp_path / "a.xyz")], valid_ratio=0.0, isolated_atoms="train"))
    assert "7 training frames (193 atoms)" in fresh


def test_frames_are_drawn_by_the_weights_of_their_source(
    make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame]
) -> None:
    write_extxyz(tmp_path / "a.xyz", cu_frames[:4])
    write_extxyz(tmp_path / "b.xyz", cu_frames[4:])
    names = [str(tmp_path / name) for name in ("a.xyz", "b.xyz")]
    config = make_run(train_data=names, train_weights={names[1]: 3.0}, valid_ratio=0.0)
    output = _train(config)
    assert "an epoch draws 10 frames of 6 by `train_weights`" in output
    checkpoint = load_checkpoint(config.model_store_dir / config.model_name)
    assert checkpoint.config["train_weights"] == {names[1]: 3.0}
    assert "all 3 epochs are done" in _train(config)  # it knows itself again


@pytest.mark.parametrize("model_type", FAMILIES)
def test_families_start_from_a_model(make_run: RunFactory, model_type: str) -> None:
    """Elements, settings and weights are those of the start."""
    section = small_section(model_type, 4.0)
    first = make_run("first", model_type=model_type, model=section)
    _train(first)
    start = first.model_store_dir / first.model_name
    slow = {"learning_rate": 1e-9, "stop_lr": 1e-9, "epochs": 1}
    how = {"model_load_file": str(start), "atom_type": [], "energy_shift": "keep", "optimizer": slow}
    second = make_run("second", model_type=model_type, **how)
    _train(second)
    old, new = load_checkpoint(start), load_checkpoint(second.model_store_dir / second.model_name)
    assert new.potential.elements == ["Cu"]
    assert new.config["model"] == old.config["model"]
    for name, value in old.potential.state_dict().items():
        torch.testing.assert_close(new.potential.state_dict()[name], value, rtol=0, atol=1e-7, msg=name)


def test_averaged_weights_are_what_is_saved_for_use(make_run: RunFactory) -> None:
    config = make_run(ema_decay=0.9)
    _train(config)
    checkpoint = load_checkpoint(config.model_store_dir / config.model_name)
    trained = checkpoint.tensors["trained/network.heights"]
    assert not torch.equal(trained, checkpoint.potential.state_dict()["network.heights"])


def test_averaged_weights_have_their_own_zero_of_energy(make_run: RunFactory) -> None:
    config = make_run(ema_decay=0.9, valid_ratio=0.0, optimizer={"learning_rate": 5e-2})
    _train(config)
    checkpoint = load_checkpoint(config.model_store_dir / config.model_name)
    averaged = checkpoint.potential
    frames = read_frames(config.train_data, format="extxyz")
    batch = FrameDataset(frames, averaged.elements, averaged.cutoff).batch(np.arange(len(frames)))

    def mean_error() -> float:
        energy = predict(averaged, batch, forces=False, virial=False).energy
        return float(((batch.energy - energy) / batch.n_atoms).mean())

    assert abs(mean_error()) < 1e-12
    trained_shift = checkpoint.tensors["trained/energy_shift"]
    averaged.set_energy_shift(trained_shift.numpy())
    assert abs(mean_error()) > 1e-6  # without its own it is off


def test_separate_validation_data(make_run: RunFactory, frames_file: Path) -> None:
    assert "6 training frames (192 atoms), 6 validation frames" in _train(make_run(valid_data=[str(frames_file)]))


def test_no_validation_frames(make_run: RunFactory) -> None:
    config = make_run(valid_ratio=0.0)
    _train(config)
    assert (config.model_store_dir / "toy_model_best.ckpt").exists()
    assert np.loadtxt(config.model_store_dir / "epoch_train.dat", skiprows=1).shape == (3, 6)


def test_nothing_to_train(make_run: RunFactory) -> None:
    with pytest.raises(ConfigError, match="nothing to train"):
        _train(make_run(optimizer={"train_energy": False, "train_force": False}))
    with pytest.raises(ConfigError, match="`train_data` is empty"):
        _train(make_run(train_data=[]))


def test_what_a_kill_left_is_swept(make_run: RunFactory) -> None:
    config = make_run()
    folder = config.model_store_dir
    (folder / "saved_models").mkdir(parents=True)
    for name in ("toy_model.ckpt", "toy_model_best.ckpt", "saved_models/epoch_1_step_4.ckpt"):
        partial = (folder / name).with_name(f".{Path(name).name}.partial")
        partial.mkdir()
        (partial / ".tmpq3XyZ1").write_bytes(b"half a checkpoint")
    (folder / ".mine.partial").touch()  # of somebody else
    _train(config)
    assert [path.name for path in folder.rglob(".*")] == [".mine.partial"]


def test_notices_have_no_control_characters(make_run: RunFactory, tmp_path: Path, frames_file: Path) -> None:
    data = tmp_path / "cu\x1b[31m.xyz"
    data.write_bytes(frames_file.read_bytes())
    text = _train(make_run(train_data=[str(data)], model_store_dir=str(tmp_path / "a\x07b")))
    assert "\x1b" not in text
    assert r"a\x07b/toy_model.ckpt" in text


def test_validation_frames_without_labels_are_found_before_training(
    make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame]
) -> None:
    bare = tmp_path / "bare.xyz"
    write_extxyz(bare, [replace(frame, energy=None, forces=None) for frame in cu_frames[:2]])
    config = make_run(valid_data=[str(bare)])
    with pytest.raises(ConfigError, match="none of the 2 validation frames has a label that is trained"):
        _train(config)
    assert not config.model_store_dir.exists()  # not even a folder


def test_suspect_frames_of_both_sets_are_said(make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame]) -> None:
    near = cu_frames[0].positions.copy()
    near[1] = near[0] + [0.16, 0.0, 0.0]
    strong = np.full_like(near, 1e4)
    write_extxyz(tmp_path / "train.xyz", [*cu_frames[:3], replace(cu_frames[0], positions=near, forces=strong)])
    write_extxyz(tmp_path / "valid.xyz", [*cu_frames[3:], replace(cu_frames[0], energy=-9e5)])
    config = make_run(train_data=[str(tmp_path / "train.xyz")], valid_data=[str(tmp_path / "valid.xyz")])
    text = _train(config)
    assert "1 frame has atoms nearer than 0.5 Å, first " in text
    assert f"{tmp_path}/train.xyz frame 3 (line 103): Cu and Cu, 0.160 Å" in text
    assert f"1 frame has forces above 100 eV/Å, first {tmp_path}/train.xyz frame 3 (line 103): 1.732e+04" in text
    assert f"1 frame has an energy far from the others, first {tmp_path}/valid.xyz frame 3" in text
    assert "frame has" not in _train(make_run("clean"))


def test_element_of_the_training_frames_that_is_not_listed(make_run: RunFactory) -> None:
    with pytest.raises(DataFormatError, match=r"cu\.xyz frame 0.* holds Cu, but `atom_type` lists only Au"):
        _train(make_run(atom_type=["Au"], valid_ratio=0.0))


def test_end_weights_that_are_all_zero_cannot_rank_epochs(make_run: RunFactory) -> None:
    end = {"end_pre_fac_etot": 0.0, "end_pre_fac_force": 0.0}
    with pytest.raises(ConfigError, match=r"weights at the end of the run are 0 for all that is trained"):
        _train(make_run(optimizer=end))
    _train(make_run(optimizer={**end, "end_pre_fac_force": 1.0}))


def test_cosine_cycles_leave_models(make_run: RunFactory) -> None:
    config = make_run(optimizer={"t_0": 1, "t_mult": 1.0})
    _train(config)
    names = sorted(path.name for path in (config.model_store_dir / "saved_models").iterdir())
    assert names == ["epoch_1_step_4.ckpt", "epoch_2_step_8.ckpt", "epoch_3_step_12.ckpt"]


def test_faulty_validation_frame_shows_before_training(make_run: RunFactory, tmp_path: Path) -> None:
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.io import write

    gold = bulk("Au", cubic=True)
    gold.calc = EMT()
    gold.get_forces()
    write(tmp_path / "gold.xyz", gold)
    config = make_run(valid_data=[str(tmp_path / "gold.xyz")])
    with pytest.raises(DataFormatError, match="holds Au"):
        _train(config)
    assert not (config.model_store_dir / config.model_name).exists()
