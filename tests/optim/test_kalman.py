"""LKF and GKF as update strategies: PWMLFF's update written out, labels, exact state, faulty labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from pwmlff import keys
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.models import Potential, predict
from pwmlff.optim import OPTIMIZERS
from pwmlff.optim.base import NonFiniteError, RunLostError
from pwmlff.optim.kalman import KalmanConfig, KalmanUpdate
from pwmlff.optim.kalman_blocks import WeightVector, split_blocks
from pwmlff.optim.kalman_filter import KalmanFilter

PotentialFactory = Callable[[], Potential]
QUANTITY_OF = {
    "train_energy": keys.ENERGY,
    "train_force": keys.FORCES,
    "train_virial": keys.VIRIAL,
    "train_ei": keys.ATOMIC_ENERGIES,
    "train_egroup": keys.GROUP_ENERGIES,
}


def make_update(potential: Potential, name: str = "LKF", **keys: Any) -> KalmanUpdate:
    # softer than the defaults, which are for nets of many blocks: the filter's noise grows with their number
    soft = {"pre_fac_etot": 2.0, "pre_fac_force": 1.0, "pre_fac_virial": 1.0, "pre_fac_ei": 1.0, "pre_fac_egroup": 1.0}
    soft |= {"p0_weight": 0.03, "p_max": 3.0, "max_step": 2.0}
    config = KalmanConfig.model_validate({"optimizer": name, **soft, **keys})
    update = OPTIMIZERS[name](potential, config, steps_per_epoch=10)
    assert isinstance(update, KalmanUpdate)
    return update


class WrittenOut:
    """The update of PWMLFF with dense matrices, one scalar after another."""

    def __init__(self, potential: Potential, block_size: int, p0: float) -> None:
        self.potential, self.vector, self.forgetting = potential, WeightVector(potential), 0.98
        self.blocks = split_blocks(self.vector.sizes, block_size)
        self.covariances = [p0 * torch.eye(last - first, dtype=torch.float64) for first, last in self.blocks]

    def measure(self, value: torch.Tensor, error: torch.Tensor) -> None:
        parts = torch.autograd.grad(value, self.vector.parameters, allow_unused=True, materialize_grads=True)
        gradient = torch.cat([part.reshape(-1) for part in parts])
        gains = [p @ gradient[first:last] for (first, last), p in zip(self.blocks, self.covariances, strict=True)]
        denominator = sum(
            self.forgetting + gradient[first:last] @ k for (first, last), k in zip(self.blocks, gains, strict=True)
        )
        self.vector.write(self.vector.read() + error / denominator * torch.cat(gains))
        for p, k in zip(self.covariances, gains, strict=True):
            p.sub_(torch.outer(k, k) / denominator).div_(self.forgetting)
        self.forgetting = 0.9987 * self.forgetting + 1 - 0.9987

    def step(self, batch: Batch, groups: list[torch.Tensor]) -> None:
        n_frames, n_atoms = batch.n_frames, 32
        prediction = predict(self.potential, batch, forces=False, virial=False, create_graph=True)
        error = (batch.energy - prediction.energy).detach()
        value = (error.sign() * prediction.energy).sum() / n_atoms
        self.measure(value, error.abs().mean() / n_atoms * n_frames**0.5)
        for atoms in groups:
            prediction = predict(self.potential, batch, virial=False, create_graph=True)
            assert prediction.forces is not None
            error = (batch.forces - prediction.forces).detach()[atoms]
            value = 2 * (error.sign() * prediction.forces[atoms]).sum() / (n_atoms * 6 * 3)
            self.measure(value, 2 * error.abs().mean() / n_atoms * n_frames**0.5)


def test_only_ratios_of_prefactors_count(make_potential: PotentialFactory, cu_batch: Batch) -> None:
    steps = []
    for factor in (1.0, 1024.0):
        potential = make_potential()
        update = make_update(potential, pre_fac_etot=3.0 * factor, pre_fac_force=2.0 * factor)
        update.step(cu_batch)
        steps.append(WeightVector(potential).read())
    assert torch.equal(*steps)
    with pytest.raises(ValidationError, match="prefactors of all that is trained are 0"):
        KalmanConfig.model_validate({"pre_fac_etot": 0.0, "train_force": False})


def test_plain_form_is_that_of_pwmlff(
    make_potential: PotentialFactory, cu_data: FrameDataset, plain: dict[str, Any]
) -> None:
    potential, twin = make_potential(), make_potential()
    update = make_update(potential, block_size=60, **plain)
    oracle = WrittenOut(twin, 60, 1.0)
    assert len(oracle.blocks) > 2
    start = oracle.vector.read()
    for frames in ([0, 1], [2, 3], [4, 5]):
        batch = cu_data.batch(frames)
        oracle.step(batch, update._draw.atoms(batch, update.n_steps))
        update.step(batch)
    change = oracle.vector.read() - start
    torch.testing.assert_close(WeightVector(potential).read() - start, change, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"parts": 1, "nselect": 24},
        {"joint": False},
        {"p_precision": "float32"},
        {"optimizer": "GKF"},
        {"parts": 2, "force_groups": 3, "nselect": 0},
    ],
)
def test_errors_fall(make_potential: PotentialFactory, cu_batch: Batch, keys: dict[str, Any]) -> None:
    update = make_update(make_potential(), keys.pop("optimizer", "LKF"), **keys)
    errors = [update.step(cu_batch).rmse() for _ in range(25)]
    assert errors[-1]["forces"] < 0.5 * errors[0]["forces"]
    assert errors[-1]["energy"] < 0.5 * errors[0]["energy"]


def test_order_of_the_frames_does_not_matter(make_potential: PotentialFactory, cu_data: FrameDataset) -> None:
    weights = []
    for frames in ([0, 1, 2, 3], [3, 1, 0, 2]):
        update = make_update(make_potential(), parts=2)
        for _ in range(3):
            update.step(cu_data.batch(frames))
        weights.append(update._vector.read())
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-9, atol=1e-12)


def test_state_restores_the_next_step_exactly(make_potential: PotentialFactory, cu_batch: Batch) -> None:
    potential, twin = make_potential(), make_potential()
    update = make_update(potential, block_size=60)
    for _ in range(3):
        update.step(cu_batch)
    twin.load_state_dict(potential.state_dict())
    restored = make_update(twin, block_size=60)
    restored.load_state(*update.state())
    for _ in range(3):
        update.step(cu_batch)
        restored.step(cu_batch)
    assert torch.equal(update._vector.read(), restored._vector.read())


@pytest.mark.parametrize(("trained", "name"), QUANTITY_OF.items())
def test_each_quantity_can_be_trained_alone(
    make_potential: PotentialFactory, cu_batch: Batch, trained: str, name: str
) -> None:
    flags = {flag: flag == trained for flag in QUANTITY_OF}
    cu_batch.has_atomic_energies[:] = True
    cu_batch.atomic_energies[:] = cu_batch.energy.sum() / 64
    update = make_update(make_potential(), **flags)
    errors = [update.step(cu_batch).rmse() for _ in range(20)]
    assert errors[-1][name] < 0.7 * errors[0][name]
    assert sum(weight > 0 for weight in update.weights.as_tuple()) == 1


@pytest.mark.parametrize("max_step", [1e-2, None])
def test_step_is_bounded(make_potential: PotentialFactory, cu_batch: Batch, max_step: float | None) -> None:
    update = make_update(make_potential(), max_step=max_step)
    before = update._vector.read()
    update.step(cu_batch)
    most = min(5.0, 0.2 * len(before) ** 0.5) if max_step is None else max_step
    assert float((update._vector.read() - before).norm() / before.square().mean().sqrt()) <= 1.001 * most


@pytest.mark.parametrize("guard", [True, False])
def test_nothing_changes_when_a_label_is_not_finite(
    make_potential: PotentialFactory, cu_batch: Batch, guard: bool
) -> None:
    update = make_update(make_potential(), guard=guard)
    before = update._vector.read()
    cu_batch.energy[0] = float("nan")
    with pytest.raises(NonFiniteError):
        update.step(cu_batch)
    assert torch.equal(before, update._vector.read())
    assert update.n_steps == 0


@pytest.mark.parametrize("p0", [0.01, 0.3])
def test_weights_decay_where_nothing_is_measured(make_potential: PotentialFactory, p0: float) -> None:
    update = make_update(make_potential(), weight_decay=0.05, p0_weight=p0, p_max=10 * p0)
    weights = update._vector.read()
    nothing = torch.zeros(len(weights), 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for update.n_steps in range(10):  # noqa: B020
        change = update.filter.step(*update._with_prior(*nothing))
        weights += change
        update._vector.write(weights)
    start = update._vector.read() / 0.95**10
    torch.testing.assert_close(weights - change, start)  # nothing before the tenth step, and then for all ten
    measured = make_update(make_potential(), weight_decay=0.05, p0_weight=p0)
    measured.n_steps = 9
    weights = measured._vector.read()
    measured.filter.step(1e4 * (weights / weights.norm()).unsqueeze(1), torch.zeros(1, dtype=torch.float64))
    assert measured.filter.step(*measured._with_prior(*nothing)).norm() < 1e-3 * weights.norm()


@pytest.mark.parametrize("joint", [True, False])
def test_the_prior_is_measured_once_in_ten_steps(
    make_potential: PotentialFactory, cu_batch: Batch, monkeypatch: pytest.MonkeyPatch, joint: bool
) -> None:
    n_measured = []
    step = KalmanFilter.step

    def counted(self: KalmanFilter, directions: torch.Tensor, residuals: torch.Tensor) -> torch.Tensor:
        n_measured.append(len(residuals))
        return step(self, directions, residuals)

    monkeypatch.setattr(KalmanFilter, "step", counted)
    counts = []
    for weight_decay in (0.0, 0.05):
        n_measured.clear()
        update = make_update(make_potential(), joint=joint, weight_decay=weight_decay)
        for _ in range(20):
            update.step(cu_batch)
        counts.append(sum(n_measured))
    assert counts[1] == counts[0] + 2


def _lose(update: KalmanUpdate) -> None:
    """Put the weights deep into the flat of tanh, as if by more than one step."""
    update._vector.write(update._vector.read() + 20.0)
    update._guard.previous = update._vector.read()


def test_a_run_that_cannot_be_saved_ends(make_potential: PotentialFactory, cu_batch: Batch) -> None:
    update = make_update(make_potential())
    update.say = lambda line: None
    for _ in range(40):
        update.step(cu_batch)

    def lose_it_again_and_again() -> None:
        for _ in range(600):
            _lose(update)
            update.step(cu_batch)

    with pytest.raises(RunLostError, match="has not helped"):
        lose_it_again_and_again()
    assert update.filter.largest_variance < 1e-5


def test_lost_weights_come_back(
    make_potential: PotentialFactory, cu_batch: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = make_update(make_potential())
    for _ in range(160):
        good = update.step(cu_batch).rmse()
    _lose(update)
    for _ in range(60):
        errors = update.step(cu_batch).rmse()
    assert "back to the last good weights" in capsys.readouterr().out
    assert errors["forces"] < 3 * good["forces"]


def test_a_single_wrong_step_is_taken_back(make_potential: PotentialFactory, cu_batch: Batch) -> None:
    update = make_update(make_potential())
    for _ in range(160):
        good = update.step(cu_batch).rmse()
    before = update._guard.previous
    update._vector.write(before + 20.0)
    errors = update.step(cu_batch).rmse()  # those of the weights before
    assert update._guard.n_taken_back == 1
    assert torch.equal(update._guard.previous, before)
    assert errors == pytest.approx(good, rel=1e-9)
    assert update.step(cu_batch).rmse()["forces"] < 2 * good["forces"]


def test_a_batch_that_is_odd_takes_no_step_back(make_potential: PotentialFactory, cu_batch: Batch) -> None:
    update = make_update(make_potential())
    for _ in range(160):
        update.step(cu_batch)
    weights = update._vector.read()
    odd = replace(cu_batch, energy=cu_batch.energy + 50.0 * cu_batch.n_atoms)
    update.step(odd)
    assert update._guard.n_taken_back == 0
    assert torch.equal(update._guard.previous, weights)


def test_weights_that_are_not_finite_come_back(
    make_potential: PotentialFactory, cu_batch: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = make_update(make_potential())
    update.step(cu_batch)
    update._vector.write(torch.full((len(update._vector),), float("nan"), dtype=torch.float64))
    assert update.step(cu_batch).rmse()["forces"] > 0
    assert "back to the last good weights" in capsys.readouterr().out


def test_global_filter_has_one_block(make_potential: PotentialFactory) -> None:
    update = make_update(make_potential(), "GKF", block_size=50)
    assert update.filter.bounds == [(0, len(update._vector))]


@pytest.mark.parametrize(("n_frames", "expected"), [(1, 2), (59, 2), (60, 3), (159, 7), (10**6, 8)])
def test_few_frames_are_taken_in_small_batches(n_frames: int, expected: int) -> None:
    assert KalmanConfig().for_frames(n_frames).batch_size == expected
    assert KalmanConfig(batch_size=8).for_frames(n_frames).batch_size == 8


def test_wrong_groups_are_errors() -> None:
    with pytest.raises(ValidationError, match="groupsize"):
        KalmanConfig(nselect=4, groupsize=6)
    for wrong in ({"nselect": 10**12}, {"force_groups": 10**12}):
        with pytest.raises(ValidationError, match="measurements of the forces of a part, expected at most 1000"):
            KalmanConfig.model_validate(wrong)
    assert KalmanConfig(nselect=24, groupsize=6).n_force_groups == 4
    assert KalmanConfig(nselect=0).n_force_groups == 1


@pytest.mark.parametrize("keys", [{}, {"parts": 2, "force_groups": 3, "train_virial": True}, {"joint": False}])
def test_kernels_and_twins_make_the_same_steps(
    make_potential: PotentialFactory, cu_data: FrameDataset, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    for by_kernels in (True, False):
        potential = make_potential()
        monkeypatch.setattr(type(potential.network), "trained_by_kernels_on", ("cpu",) * by_kernels)
        update = make_update(potential, **keys)
        for frames in ([0, 1], [2, 3], [4, 5]):
            update.step(cu_data.batch(frames))
        weights.append(update._vector.read())
    torch.testing.assert_close(*weights, rtol=1e-9, atol=1e-10)


def test_a_share_may_have_no_frame(make_potential: PotentialFactory, cu_data: FrameDataset) -> None:
    update = make_update(make_potential(), train_virial=True, train_ei=True)
    batch = cu_data.batch([])
    directions, residuals, errors = update._measure(batch, torch.tensor([0, 0, 0]), update._kinds())
    assert directions.shape == (len(update._vector), 0)
    assert residuals.shape == (0,)
    assert not errors.values.any()
