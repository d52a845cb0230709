"""Runs that go on from a model: another zero of energy, new elements, frozen parts, replayed frames, parts left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from families import FAMILIES, small_potential, small_section
from rich.console import Console

from pwmlff.config import RunConfig
from pwmlff.data.frame import Frame
from pwmlff.data.readers import ReadReport
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.evaluate.kpu import KalmanUncertainty
from pwmlff.models.files.checkpoint import load_checkpoint, load_potential, save_checkpoint
from pwmlff.optim.adam import GradientUpdate
from pwmlff.train import train_from_config
from pwmlff.train.continuing import ShiftedFrames, match_energies
from pwmlff.train.data import read_replayed_frames, read_run_frames

RunFactory = Callable[..., RunConfig]
STILL = {"epochs": 1, "learning_rate": 1e-12, "stop_lr": 1e-12}


def _train(config: RunConfig, **options: Any) -> str:
    text = io.StringIO()
    train_from_config(config, console=Console(file=text, width=200), **options)
    return text.getvalue()


def _saved(config: RunConfig) -> Path:
    return config.model_store_dir / config.model_name


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A Deep Potential of copper."""
    potential = small_potential("DP", 4.0, ["Cu"])
    config = {"model_type": "DP", "atom_type": ["Cu"], "model": small_section("DP", 4.0)}
    save_checkpoint(tmp_path / "start.ckpt", potential, config=config)
    return tmp_path / "start.ckpt"


def _labelled(frames: list[Frame], start: Path, shift: float = 0.0) -> list[Frame]:
    """Return frames with the energies of a model, shifted per atom."""
    results = predict_frames(load_potential(start), frames)
    return [replace(r.frame, energy=r.energy + shift * len(r.frame), virial=None) for r in results]


def _file(path: Path, frames: list[Frame]) -> str:
    write_extxyz(path, frames)
    return str(path)


# energies


@pytest.mark.parametrize(
    ("shift", "policy", "taken"),
    [(2.5, "auto", 2.5), (2.5, "keep", 0.0), (2.5, "fit", 2.5), (0.1, "auto", 0.0), (0.1, "fit", 0.1)],
)
def test_another_zero_of_energy(start: Path, cu_frames: list[Frame], shift: float, policy: str, taken: float) -> None:
    """A constant that another level of theory makes is taken up; a small one may be an error of the model."""
    potential = load_potential(start)
    correction, lines = match_energies(potential, _labelled(cu_frames, start, shift), ["Cu"], policy)
    assert correction == pytest.approx([taken], abs=1e-9)
    if policy == "auto":
        says = "as those of another level of theory" if taken else "taken for an error of the model"
        assert len(lines) == 1
        assert says in lines[0]
        assert f"{shift:g} eV/atom from those of the start model" in lines[0]


def test_a_large_error_that_is_no_constant_is_left_to_training(start: Path, cu_frames: list[Frame]) -> None:
    labelled = _labelled(cu_frames, start)
    wrong = [replace(f, energy=(f.energy or 0.0) + (-1) ** k * len(f)) for k, f in enumerate(labelled)]
    correction, lines = match_energies(load_potential(start), wrong, ["Cu"], "auto")
    assert (correction.tolist(), lines) == ([0.0], [])


def test_only_what_is_new_is_fitted(two_element_frames: list[Frame]) -> None:
    """Energies of known elements stay; those of the new one close the gap exactly where nothing else is wrong."""
    potential = small_potential("DP", 4.0, ["Cu", "Au"])
    frames = [replace(r.frame, energy=r.energy) for r in predict_frames(potential, two_element_frames)]
    gold = [(frame.atomic_numbers == 79).sum() for frame in frames]
    off = [replace(f, energy=(f.energy or 0.0) - 3.25 * n) for f, n in zip(frames, gold, strict=True)]
    correction, lines = match_energies(potential, off, ["Cu"], "auto")
    np.testing.assert_allclose(correction, [0.0, -3.25], atol=1e-9)
    assert lines == ["energies of new elements fitted: added per atom are Au -3.2500 eV"]


def test_some_energies_are_fitted(two_element_frames: list[Frame]) -> None:
    """Least squares of one column, in closed form."""
    frames = [replace(f, energy=float(k)) for k, f in enumerate(two_element_frames)]
    fraction = np.array([(f.atomic_numbers == 79).mean() for f in frames])
    target = np.array([(f.energy or 0.0) / len(f) for f in frames])
    expected = fraction @ target / (fraction @ fraction)
    assert fit_energy_shift(frames, ["Cu", "Au"], of=["Au"]) == pytest.approx([expected])


def test_shifted_frames(two_element_frames: list[Frame]) -> None:
    frame = replace(two_element_frames[2], atomic_energies=np.zeros(len(two_element_frames[2])))
    (moved,) = ShiftedFrames([frame], ["Au", "Cu"], np.array([10.0, 1.0]))
    n_gold = int((frame.atomic_numbers == 79).sum())
    by_hand = 10.0 * n_gold + (len(frame) - n_gold)
    assert moved.energy == pytest.approx((frame.energy or 0.0) + by_hand)
    assert moved.atomic_energies is not None
    assert moved.atomic_energies.sum() == pytest.approx(by_hand)


# runs


def test_a_run_on_another_level_of_theory(
    make_run: RunFactory, start: Path, tmp_path: Path, cu_frames: list[Frame]
) -> None:
    """The zero of energy is right at once, and the replayed frames have it too."""
    old = _file(tmp_path / "old.xyz", _labelled(cu_frames, start))
    new = _file(tmp_path / "new.xyz", _labelled(cu_frames, start, 7.0))
    run = make_run(
        model_type="DP",
        atom_type=[],
        model_load_file=str(start),
        train_data=[new],
        valid_ratio=0.0,
        replay_data=[old],
        replay_fraction=0.5,
        optimizer=STILL,
    )
    text = _train(run)
    assert "12 training frames (384 atoms, 6 of the frames replayed), 0 validation frames" in text.replace("\n", " ")
    assert "as those of another level of theory: added per atom are Cu +7.0000 eV" in text
    assert "the same is added to the energies of the frames that are replayed" in text
    (row,) = load_checkpoint(_saved(run)).tensors["history"].tolist()
    assert row[6] < 1e-8  # RMSE of energies, eV/atom


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_run_with_a_new_element(
    make_run: RunFactory, tmp_path: Path, model_type: str, cu_frames: list[Frame], two_element_frames: list[Frame]
) -> None:
    copper = make_run("copper", model_type=model_type, model=small_section(model_type, 4.0))
    _train(copper)
    both = make_run(
        "both",
        model_type=model_type,
        model_load_file=str(_saved(copper)),
        atom_type=["Cu", "Au"],
        train_data=[_file(tmp_path / "alloy.xyz", two_element_frames)],
        energy_shift="keep",
        optimizer=STILL,
    )
    text = _train(both)
    assert "new elements: Au starts as a copy of Cu" in text
    assert "energies of new elements fitted: added per atom are Au" in text
    before, after = (load_potential(_saved(run)) for run in (copper, both))
    for old, new in zip(predict_frames(before, cu_frames), predict_frames(after, cu_frames), strict=True):
        np.testing.assert_allclose(new.forces, old.forces, atol=1e-8)
        assert new.energy == pytest.approx(old.energy, abs=1e-6)
    assert "resuming" in _train(make_run_longer(both))


def make_run_longer(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"epochs": 2})})


@pytest.mark.parametrize("optimizer", ["ADAM", "LKF"])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_frozen_parts_stay(make_run: RunFactory, cu_frames: list[Frame], model_type: str, optimizer: str) -> None:
    part = "hidden" if model_type == "NN" else "descriptor"
    settings = {"epochs": 1, "optimizer": optimizer, "learning_rate": 1e-2 if optimizer == "ADAM" else None}
    first = make_run("first", model_type=model_type, model=small_section(model_type, 4.0), optimizer=settings)
    _train(first)
    second = make_run(
        "second",
        model_type=model_type,
        atom_type=[],
        model_load_file=str(_saved(first)),
        freeze=part,
        optimizer=settings,
    )
    assert f"of them frozen ({part})" in _train(second)
    before, after = (load_potential(_saved(run)).network.parts() for run in (first, second))
    for name, weights in before.items():
        same = [torch.equal(a, b) for a, b in zip(weights, after[name], strict=True)]
        assert all(same) if name == part else not any(same), name
    if optimizer == "LKF":  # whose covariance is that of the others
        assert KalmanUncertainty(_saved(second)).of_frame(cu_frames[0])["f_kpu_max"] > 0


def test_an_unknown_part_is_an_error(make_run: RunFactory, start: Path) -> None:
    run = make_run(model_type="DP", atom_type=[], model_load_file=str(start), freeze=["neck"])
    with pytest.raises(ConfigError, match="`freeze` names neck, which this model has not; its trained parts are"):
        _train(run)


def test_a_resumed_run_with_replay_is_the_same(
    make_run: RunFactory, start: Path, tmp_path: Path, cu_frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames and their shift are found again, to the last bit."""
    old = _file(tmp_path / "old.xyz", _labelled(cu_frames, start))
    new = _file(tmp_path / "new.xyz", _labelled(cu_frames, start, 7.0))
    settings: dict[str, Any] = {
        "model_type": "DP",
        "atom_type": [],
        "model_load_file": str(start),
        "train_data": [new],
        "replay_data": [old],
        "optimizer": {"epochs": 3},
    }
    whole, parts = make_run("whole", **settings), make_run("parts", **settings)
    _train(whole)
    step = GradientUpdate.step

    def stops(self: GradientUpdate, batch: Any) -> Any:
        if self.n_steps == 7:
            raise KeyboardInterrupt
        return step(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(GradientUpdate, "step", stops)
        with pytest.raises(KeyboardInterrupt):
            _train(parts)
    assert "resuming after" in _train(parts)
    one, other = (load_potential(_saved(run)).state_dict() for run in (whole, parts))
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


# which frames


def test_members_leave_out_different_parts(make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame]) -> None:
    """All hold out the same frames; each frame left is left out by one of the members, and used by the others."""
    data = _file(tmp_path / "many.xyz", [replace(f, energy=float(k)) for k, f in enumerate(cu_frames * 4)])
    seen, held = [], set()
    for part in range(1, 5):
        run = make_run(train_data=[data], valid_ratio=0.25, seed=part, split_seed=5, leave_out=[part, 4])
        train, valid = read_run_frames(run, ReadReport())
        seen.append({frame.energy for frame in train})
        held.add(tuple(frame.energy for frame in valid))
    assert len(held) == 1
    everything = set().union(*seen)
    assert len(everything) == 18
    assert not everything & set(held.pop())
    assert sorted(len(everything - each) for each in seen) == [4, 4, 5, 5]
    assert sum(len(everything - each) for each in seen) == 18


@pytest.mark.parametrize("value", [[0, 4], [5, 4], [1, 1]])
def test_a_part_that_does_not_exist(make_run: RunFactory, value: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"leave_out: expected \[k, n\] with n of 2 or more and k from 1 to n"):
        make_run(leave_out=value)


def test_fewer_frames_than_parts(make_run: RunFactory) -> None:
    with pytest.raises(ConfigError, match="`leave_out` wants 10 parts of 4 training frames"):
        _train(make_run(leave_out=[1, 10]))


@pytest.mark.parametrize(("fraction", "n_replayed"), [(0.2, 2), (0.5, 6), (0.9, 6)])
def test_part_of_the_frames_that_is_replayed(
    make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame], fraction: float, n_replayed: int
) -> None:
    """0.2 of all: a quarter of the new ones; never more than there are."""
    old = _file(tmp_path / "old.xyz", cu_frames)
    run = make_run(valid_ratio=0.0, replay_data=old, replay_fraction=fraction)
    assert len(read_replayed_frames(run, 6, ReadReport())) == n_replayed
