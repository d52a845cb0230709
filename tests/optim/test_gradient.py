"""Optimizers that follow a gradient: keys and their older names, schedule in steps, clipping, state."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.derivatives import predict
from pwmlff.optim import OPTIMIZERS
from pwmlff.optim.base import NonFiniteError
from pwmlff.optim.gradient import GradientConfig, GradientUpdate
from pwmlff.optim.loss import sum_errors
from pwmlff.optim.muon import Muon, orthogonal

NAMES = ["ADAM", "ADAMW", "MUON", "SOAP", "SCHEDULE_FREE"]
MODEL = {
    "descriptor": {"Rmax": 4.0, "network_size": [4, 8], "M2": 2},
    "fitting_net": {"network_size": [6, 1]},
}


@pytest.fixture
def batch(cu_frames: list[Frame]) -> Batch:
    return FrameDataset(cu_frames[:2], ["Cu"], 4.0).batch([0, 1])


@pytest.fixture
def potential(batch: Batch) -> Iterator[Potential]:
    made = build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), ["Cu"])
    made.collect_statistics([batch])
    return made


def _update(potential: Potential, name: str = "ADAM", steps_per_epoch: int = 10, **keys: Any) -> GradientUpdate:
    strategy = OPTIMIZERS[name]
    config = strategy.Config.model_validate({"optimizer": name, **keys})
    update = strategy(potential, config, steps_per_epoch=steps_per_epoch)
    assert isinstance(update, GradientUpdate)
    return update


def _weights(potential: Potential) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in potential.parameters()]


def test_first_step_is_one_learning_rate_along_the_sign(potential: Potential, batch: Batch) -> None:
    # the first Adam step is lr g / (|g| + eps) in every component
    update = _update(potential, learning_rate=1e-3)
    before = _weights(potential)
    prediction = predict(potential, batch, virial=False, create_graph=True)
    loss = sum_errors(prediction, batch).loss(update.weights)
    gradients = torch.autograd.grad(loss, list(potential.parameters()))
    update.step(batch)
    for old, new, gradient in zip(before, _weights(potential), gradients, strict=True):
        expected = old - 1e-3 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(new, expected, rtol=1e-9, atol=1e-12)


def test_schedule_fits_the_run_when_not_given(potential: Potential) -> None:
    update = _update(potential, learning_rate=1e-2, stop_lr=1e-4, epochs=50)
    assert update.learning_rate == 1e-2
    update.n_steps = 500
    assert update.learning_rate == 1e-4
    assert update.weights == update.config.weights_at(1e-2)
    assert update.config.weights_at(0.0).forces == 1.0


def test_schedule_as_given(potential: Potential) -> None:
    update = _update(potential, stop_step=1_000_000, decay_step=5000, batch_size=4, scale_lr=True)
    assert update.learning_rate == pytest.approx(2e-3)
    update.n_steps = 5000
    assert update.learning_rate == pytest.approx(2e-3 * (3.51e-8 / 1e-3) ** (1 / 200))
    # prefactors follow the rate relative to its start
    share = update.learning_rate / 2e-3
    assert update.weights.forces == pytest.approx(1 + 999 * share)


def test_cosine_cycles_are_counted_in_epochs(potential: Potential) -> None:
    update = _update(potential, steps_per_epoch=7, t_0=2, t_mult=2)
    wants = []
    for step in range(1, 45):
        update.n_steps = step
        if update.wants_snapshot:
            wants.append(step)
    assert wants == [14, 42]


def test_names_of_deepmd() -> None:
    config = GradientConfig.model_validate(
        {"optimizer": "ADAM", "start_lr": 2e-3, "decay_steps": 7, "start_pref_e": 0.5, "limit_pref_f": 3}
    )
    assert (config.learning_rate, config.decay_step) == (2e-3, 7)
    assert (config.start_pre_fac_etot, config.end_pre_fac_force) == (0.5, 3.0)
    assert GradientConfig.model_validate(config.model_dump()) == config


def test_wrong_rates_and_unknown_keys_are_errors() -> None:
    with pytest.raises(ValidationError, match="stop_lr"):
        GradientConfig(learning_rate=1e-9)
    with pytest.raises(ValidationError, match="learning_rat"):
        GradientConfig.model_validate({"learning_rat": 1e-3})


def test_gradient_norm_is_clipped(potential: Potential, batch: Batch) -> None:
    update = _update(potential, max_norm=1e-3)
    update.step(batch)
    gradients = [p.grad for p in potential.parameters() if p.grad is not None]
    assert float(torch.nn.utils.get_total_norm(gradients)) == pytest.approx(1e-3, rel=1e-3)


def test_gradient_components_are_clipped(potential: Potential, batch: Batch) -> None:
    _update(potential, clip_value=1e-4).step(batch)
    assert max(float(p.grad.abs().max()) for p in potential.parameters() if p.grad is not None) <= 1e-4


@pytest.mark.parametrize(("name", "keys"), [*((name, {}) for name in NAMES), ("SOAP", {"max_precondition_dim": 5})])
def test_state_restores_the_next_step_exactly(
    potential: Potential, batch: Batch, name: str, keys: dict[str, int]
) -> None:
    update = _update(potential, name, learning_rate=1e-3, **keys)
    for _ in range(3):
        update.step(batch)
    twin = build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), ["Cu"])
    tensors, state = update.state()
    with update.settled():
        twin.load_state_dict(potential.state_dict())
    restored = _update(twin, name, learning_rate=1e-3, **keys)
    restored.load_state({key: value.clone() for key, value in tensors.items()}, json.loads(json.dumps(state)))
    for _ in range(12):  # SOAP renews its eigenvectors at the tenth step
        update.step(batch)
        restored.step(batch)
    assert all(torch.equal(a, b) for a, b in zip(_weights(potential), _weights(twin), strict=True))


@pytest.mark.parametrize("longest", [5, 1000])
def test_soap_leaves_the_long_sides_of_matrices(potential: Potential, batch: Batch, longest: int) -> None:
    update = _update(potential, "SOAP", max_precondition_dim=longest)
    for _ in range(2):
        update.step(batch)
    (optimizer,) = update._optimizers
    sides = {
        (place < len(weight.shape) and weight.shape[place] <= longest, len(eigenvectors) > 0)
        for weight, state in optimizer.state.items()
        if weight.dim() > 1
        for place, eigenvectors in enumerate(state["Q"])
    }
    assert sides == ({(True, True)} if longest == 1000 else {(True, True), (False, False)})


def test_nothing_changes_when_the_loss_is_not_finite(potential: Potential, batch: Batch) -> None:
    update = _update(potential)
    before = _weights(potential)
    batch.energy[0] = float("nan")
    with pytest.raises(NonFiniteError):
        update.step(batch)
    assert all(torch.equal(a, b) for a, b in zip(before, _weights(potential), strict=True))
    assert update.n_steps == 0


@pytest.mark.parametrize("name", NAMES)
def test_loss_falls(potential: Potential, batch: Batch, name: str) -> None:
    update = _update(potential, name, learning_rate=5e-3, stop_lr=5e-3)
    losses = [float(update.step(batch).loss(update.config.weights_at(0.0))) for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]


def test_muon_makes_steps_of_matrices_more_orthogonal_than_gradients(potential: Potential, batch: Batch) -> None:
    def effective_rank(matrix: torch.Tensor) -> float:
        values = torch.linalg.svdvals(matrix.detach())
        return float(values.square().sum() / values[0].square())

    update = _update(potential, "MUON", learning_rate=1e-3, stop_lr=1e-3)
    before = {name: p.detach().clone() for name, p in potential.named_parameters()}
    update.step(batch)
    ranks = [
        (effective_rank(p - before[name]), effective_rank(p.grad))
        for name, p in potential.named_parameters()
        if p.dim() == 2 and min(p.shape) > 1 and p.grad is not None
    ]
    assert len(ranks) > 1
    assert all(of_step > of_gradient for of_step, of_gradient in ranks)
    assert any(of_step > 1.5 * of_gradient for of_step, of_gradient in ranks)


@pytest.mark.parametrize("shape", [(1, 3, 7), (1, 7, 3), (2, 5, 5), (4, 2, 6), (2, 3, 40), (1, 40, 3)])
def test_orthogonal_keeps_singular_vectors_and_levels_values(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    levelled = left.mT @ orthogonal(matrices) @ right.mT
    diagonal = torch.diagonal(levelled, dim1=-2, dim2=-1)
    torch.testing.assert_close(levelled, torch.diag_embed(diagonal), rtol=0, atol=1e-12)
    large = values > 0.05 * values.norm(dim=-1, keepdim=True)
    assert (diagonal[large] > 0.6).all()
    assert (diagonal[large] < 1.3).all()
    assert (orthogonal(torch.zeros(2, 3, 4)) == 0).all()


@pytest.mark.parametrize("smallest", [1.0, 1e-3, 1e-6])
def test_wide_matrices_are_levelled_as_others(smallest: float) -> None:
    generator = torch.Generator().manual_seed(4)
    left = torch.linalg.qr(torch.randn(20, 20, dtype=torch.float64, generator=generator))[0]
    right = torch.linalg.qr(torch.randn(200, 20, dtype=torch.float64, generator=generator))[0]
    matrix = (left * torch.logspace(0, math.log10(smallest), 20, dtype=torch.float64)) @ right.mT
    expected = orthogonal(matrix[None])
    rounding = 3.4445**5 * torch.finfo(torch.float32).eps  # grows like the smallest singular values
    torch.testing.assert_close(orthogonal(matrix.float()[None]).double(), expected, rtol=0, atol=2 * rounding)
    torch.testing.assert_close(orthogonal(matrix.mT[None]).mT, expected, rtol=0, atol=1e-12)
    not_wide = torch.cat([matrix, torch.zeros(100, 200, dtype=torch.float64)])
    torch.testing.assert_close(orthogonal(not_wide[None])[:, :20], expected, rtol=0, atol=1e-9)


def test_steps_of_muon_are_those_of_torch_in_bfloat16() -> None:
    generator = torch.Generator().manual_seed(5)
    shapes = [(6, 9), (9, 6), (6, 9), (4, 4)]
    ours = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    theirs = [torch.nn.Parameter(weight.detach().clone()) for weight in ours]
    stack = torch.nn.Parameter(torch.stack([ours[0].detach(), ours[2].detach()]))
    begin = [weight.detach().clone() for weight in ours]
    one, other, stacked = (
        Muon(ours, rate=0.1, weight_decay=0.01),
        torch.optim.Muon(theirs, lr=0.1, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        Muon([stack], rate=0.1, weight_decay=0.01),
    )
    for _ in range(3):
        for mine, its in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            its.grad = mine.grad.clone()
        stack.grad = torch.stack([weight.grad for weight in (ours[0], ours[2]) if weight.grad is not None])
        for optimizer in (one, other, stacked):
            optimizer.step()
    for mine, its, start in zip(ours, theirs, begin, strict=True):
        assert (mine - its).norm() < 0.03 * (its - start).norm()
    torch.testing.assert_close(stack.detach(), torch.stack([ours[0].detach(), ours[2].detach()]))


def test_average_of_the_schedule_free_optimizer_is_what_is_kept(potential: Potential, batch: Batch) -> None:
    update = _update(potential, "SCHEDULE_FREE", learning_rate=1e-2)
    for _ in range(5):
        update.step(batch)
    trained = _weights(potential)
    with update.settled():
        average = _weights(potential)
    assert any(not torch.equal(a, b) for a, b in zip(trained, average, strict=True))
    for old, new in zip(trained, _weights(potential), strict=True):
        torch.testing.assert_close(new, old, rtol=0, atol=1e-14)


def test_rate_of_the_schedule_free_optimizer_stays_and_loss_weights_move(potential: Potential, batch: Batch) -> None:
    update = _update(potential, "SCHEDULE_FREE", stop_step=4, decay_step=1)
    at_the_start = update.weights
    for _ in range(4):
        update.step(batch)
    assert update.learning_rate == update.start_rate
    assert update.weights.energy > at_the_start.energy
    assert update.weights.forces < at_the_start.forces


def test_missing_package_is_named(potential: Potential, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwmlff.optim.extra.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'pwmlff\[optimizers\]'"):
        _update(potential, "SOAP")


@pytest.mark.parametrize("trained", ["train_energy", "train_force", "train_virial"])
def test_each_label_can_be_trained_alone(potential: Potential, batch: Batch, trained: str) -> None:
    flags = {name: name == trained for name in ("train_energy", "train_force", "train_virial")}
    update = _update(potential, **flags)
    before = _weights(potential)
    update.step(batch)
    assert any(not torch.equal(a, b) for a, b in zip(before, _weights(potential), strict=True))


def test_untrained_labels_have_no_weight(potential: Potential) -> None:
    weights = _update(potential, train_force=False, train_virial=True).weights
    assert (weights.forces, weights.atomic_energies) == (0.0, 0.0)
    assert weights.virial == 50.0
