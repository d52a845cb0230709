"""SNES: the update written out, types, shifted energies, exact state, records."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from families import small_potential
from pydantic import ValidationError

from pwmlff import keys
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import Potential, predict
from pwmlff.optim import OPTIMIZERS
from pwmlff.optim.base import NonFiniteError
from pwmlff.optim.loss import QUANTITIES, ErrorSums, sum_errors
from pwmlff.optim.member_losses import FrameErrors, Penalties
from pwmlff.optim.search_distribution import SearchDistribution, utilities
from pwmlff.optim.snes import SnesConfig, SnesUpdate

ELEMENTS = ["Cu", "Au"]
CUTOFF = 4.5
MODELS_UNDER_TEST = ("DP", "DP_TYPE_EMBEDDING", "NEP", "NN")


@pytest.fixture
def alloy(two_element_frames: list[Frame]) -> Batch:
    """Six frames; the first is copper alone, the third has as much gold as copper."""
    return FrameDataset(two_element_frames, ELEMENTS, CUTOFF).batch(range(6))


def make_potential(batch: Batch, model: str = "NEP", **how: Any) -> Potential:
    potential = small_potential(model, CUTOFF, ELEMENTS, **how)
    potential.collect_statistics([batch])
    potential.energy_shift.fill_(float(batch.energy.sum() / batch.n_atoms.sum()))
    return potential


def make_update(potential: Potential, **keys_given: Any) -> SnesUpdate:
    config = SnesConfig.model_validate({"optimizer": "SNES", "population": 8, "sigma0": 0.1, **keys_given})
    update = OPTIMIZERS["SNES"](potential, config, steps_per_epoch=10)
    assert isinstance(update, SnesUpdate)
    return update


def weights_of(potential: Potential) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in potential.parameters()])


def put(potential: Potential, weights: np.ndarray) -> None:
    torch.nn.utils.vector_to_parameters(torch.from_numpy(weights), potential.parameters())


def test_utilities_are_those_of_the_paper() -> None:
    expected = [max(0.0, math.log(3.0) - math.log(rank)) for rank in (1, 2, 3, 4)]
    np.testing.assert_allclose(utilities(4), np.array(expected) / sum(expected) - 0.25, rtol=1e-15)
    assert abs(utilities(50).sum()) < 1e-15


def test_generation_is_that_of_the_formulas(alloy: Batch) -> None:
    """One generation of a NEP of two elements, number by number, from predictions of one frame at a time."""
    potential, n_members = make_potential(alloy), 6
    update = make_update(potential, population=n_members, train_virial=True, lambda_v=0.3, lambda_1=0.2, lambda_2=0.3)
    names = [name for name, p in potential.named_parameters() for _ in range(p.numel())]
    mu, n = weights_of(potential).numpy().copy(), len(names)
    s = np.random.default_rng([torch.initial_seed(), 0]).standard_normal((n_members, n))
    type_of = [int(name.split(".")[2]) if name.startswith("network.central") else -1 for name in names]
    assert set(type_of) == {0, 1}  # version 5: each element has its own bias

    losses = np.zeros((3, n_members))
    for member in range(n_members):
        z = mu + 0.1 * s[member]
        put(potential, z)
        prediction = predict(potential, alloy)
        errors = ((prediction.energy - alloy.energy) / alloy.n_atoms).tolist()
        shift = sum(errors) / 6
        for ranking in range(3):
            frames = [f for f in range(6) if ranking == 2 or (alloy.atom_types[alloy.atom_frame == f] == ranking).any()]
            atoms = torch.isin(alloy.atom_frame, torch.tensor(frames))
            force = (prediction.forces - alloy.forces)[atoms].square().mean().sqrt()
            per_atom = alloy.n_atoms[frames, None, None]
            virial = ((prediction.virial - alloy.virial)[frames] / per_atom).square().mean().sqrt()
            energy = math.sqrt(sum((errors[f] - shift) ** 2 for f in frames) / len(frames))
            own = [z[v] for v in range(n) if ranking in (2, type_of[v])]
            m = n if ranking == 2 else n / 2
            penalty = 0.2 * sum(map(abs, own)) / m + 0.3 * math.sqrt(sum(x * x for x in own) / m)
            losses[ranking, member] = energy + float(force) + 0.3 * float(virial) + penalty
    u = utilities(n_members)
    rate = (3 + math.log(n / 2)) / (5 * math.sqrt(n / 2)) / 2
    mean, deviation = mu.copy(), np.full(n, 0.1)
    for v in range(n):
        ranked = np.argsort(losses[type_of[v]])
        mean[v] += 0.1 * sum(u[rank] * s[member, v] for rank, member in enumerate(ranked))
        deviation[v] *= math.exp(rate * sum(u[rank] * (s[member, v] ** 2 - 1) for rank, member in enumerate(ranked)))

    put(potential, mu)
    update.step(alloy)
    np.testing.assert_allclose(update.distribution.mean, mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(update.distribution.deviation, deviation, rtol=1e-12)
    np.testing.assert_array_equal(weights_of(potential), update.distribution.mean)


def test_weights_for_several_types_are_ranked_by_the_whole_loss(alloy: Batch) -> None:
    potential = make_potential(alloy, "DP_TYPE_EMBEDDING")
    update = make_update(potential)
    embedding = {id(p) for p in potential.network.parts()["descriptor"]}
    expected = torch.cat(
        [
            torch.full((p.numel(),), -1 if id(p) in embedding else int(name.split(".")[2]))
            for name, p in potential.named_parameters()
        ]
    )
    np.testing.assert_array_equal(update.penalties.type_of, expected)


@pytest.mark.parametrize(("model", "of_name"), [("DP", 2), ("NEP", 2), ("NN", 2)])
def test_weights_of_one_type_know_it(alloy: Batch, model: str, of_name: int) -> None:
    potential = make_potential(alloy, model)
    types = potential.network.types_of_weights()
    for name, parameter in potential.named_parameters():
        assert int(types[parameter]) == int(name.split(".")[of_name]), name


def test_weights_of_a_type_change_atoms_of_that_type_alone(alloy: Batch) -> None:
    for model in MODELS_UNDER_TEST:
        potential = make_potential(alloy, model)
        before = predict(potential, alloy).atomic_energies
        for parameter, types in potential.network.types_of_weights().items():
            kept = parameter.detach().clone()
            parameter.data += 0.1
            changed = predict(potential, alloy).atomic_energies != before
            parameter.data = kept
            assert torch.isin(alloy.atom_types[changed], types.flatten()).all(), model


def test_types_that_no_frame_holds_stay(alloy: Batch) -> None:
    potential = make_potential(alloy)
    update = make_update(potential)
    before = update.distribution.mean.copy()
    update.step(alloy.select([0]))  # of copper alone
    changed = update.distribution.mean != before
    np.testing.assert_array_equal(changed, update.penalties.type_of == 0)


def test_constant_offset_of_energies_is_no_error_and_is_taken_off(alloy: Batch) -> None:
    runs = []
    for offset in (0.0, 7.5):
        potential = make_potential(alloy)
        update = make_update(potential)
        potential.energy_shift += offset
        sums = [update.step(alloy).values for _ in range(3)]
        prediction = predict(potential, alloy)
        assert abs(float(((prediction.energy - alloy.energy) / alloy.n_atoms).mean())) < 1e-12
        torch.testing.assert_close(sum_errors(prediction, alloy).values[:2], sums[-1][:2], rtol=1e-9, atol=1e-12)
        runs.append((update.distribution.mean, sums[-1]))
    np.testing.assert_allclose(runs[1][0], runs[0][0], rtol=1e-9)
    torch.testing.assert_close(runs[1][1], runs[0][1], rtol=1e-8, atol=1e-11)


def test_atomic_energies_keep_their_offset(alloy: Batch) -> None:
    potential = make_potential(alloy)
    alloy.has_atomic_energies.fill_(True)
    alloy.atomic_energies.copy_(alloy.energy[alloy.atom_frame] / alloy.n_atoms[alloy.atom_frame])
    update = make_update(potential, train_ei=True, train_force=False)
    shift = potential.energy_shift.clone()
    update.step(alloy)
    assert torch.equal(potential.energy_shift, shift)


@pytest.mark.parametrize("model", MODELS_UNDER_TEST)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_loss_falls(alloy: Batch, model: str, precision: str) -> None:
    potential = make_potential(alloy, model, dtype=precision)
    update = make_update(potential, population=20, train_virial=True)
    losses = [float(update.step(alloy).loss(update.weights)) for _ in range(80)]
    assert losses[-1] < 0.7 * losses[0]


def test_distribution_finds_the_minimum_of_a_quadratic_function() -> None:
    minimum, scales = np.linspace(-2, 2, 10), np.geomspace(0.1, 10, 10)
    search = SearchDistribution(np.zeros(10), np.full(10, 0.5), largest=2.0, n_per_type=10, seed=3)
    for generation in range(600):
        s = search.draw(generation, 20)
        losses = (scales * (search.members(s) - minimum) ** 2).sum(1)
        search.move(s, losses[None], np.zeros(10, dtype=np.int64))
    np.testing.assert_allclose(search.mean, minimum, atol=1e-6)
    assert search.deviation.max() < 1e-5  # it has converged


def test_deviations_are_bounded_and_zero_stays_zero() -> None:
    search = SearchDistribution(np.zeros(3), np.array([1.0, 0.0, 1.0]), largest=1.0, n_per_type=3, seed=1)
    for generation in range(20):  # losses fall to infinity
        s = search.draw(generation, 10)
        search.move(s, np.array([[-float(abs(row[0])) for row in s]]), np.zeros(3, dtype=np.int64))
    assert search.deviation[0] == 1.0
    assert search.deviation[1] == search.mean[1] == 0.0


def test_state_restores_the_next_step_exactly(alloy: Batch) -> None:
    potential = make_potential(alloy)
    update = make_update(potential)
    for _ in range(3):
        update.step(alloy)
    tensors, state = update.state()
    twin = make_potential(alloy, seed=9)
    twin.load_state_dict(potential.state_dict())
    torch.manual_seed(77)
    restored = make_update(twin)
    restored.load_state({key: value.clone() for key, value in tensors.items()}, json.loads(json.dumps(state)))
    for _ in range(3):
        update.step(alloy)
        restored.step(alloy)
    assert torch.equal(weights_of(potential), weights_of(twin))
    assert torch.equal(potential.energy_shift, twin.energy_shift)


def test_frames_in_any_order_give_the_same_bits(alloy: Batch) -> None:
    results = []
    for order in ([0, 1, 2, 3, 4, 5], [4, 2, 5, 0, 3, 1]):
        potential = make_potential(alloy)
        update = make_update(potential, train_virial=True)
        for _ in range(2):
            update.step(alloy.select(order))
        results.append((weights_of(potential), potential.energy_shift.clone()))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_held_weights_are_no_part_of_the_search(alloy: Batch) -> None:
    potential = make_potential(alloy)
    potential.hold(["descriptor"])
    held = [p.detach().clone() for p in potential.network.parts()["descriptor"]]
    update = make_update(potential)
    update.step(alloy)
    assert all(torch.equal(a, b) for a, b in zip(held, potential.network.parts()["descriptor"], strict=True))
    assert len(update.distribution.mean) == sum(p.numel() for p in potential.parameters() if p.requires_grad)


def test_nothing_changes_when_no_loss_is_finite(alloy: Batch) -> None:
    potential = make_potential(alloy)
    update = make_update(potential)
    before = weights_of(potential)
    alloy.energy[1] = float("nan")
    with pytest.raises(NonFiniteError):
        update.step(alloy)
    assert torch.equal(weights_of(potential), before)
    assert update.n_steps == 0


def test_errors_by_frame_are_those_of_the_frames_alone(alloy: Batch) -> None:
    alloy.has_forces[2] = False
    potential = make_potential(alloy)
    prediction = predict(potential, alloy, groups=True)
    sums = sum_errors(prediction, alloy, per_frame=True)
    for frame in range(6):
        alone = alloy.select([frame])
        expected = sum_errors(predict(potential, alone, groups=True), alone)
        torch.testing.assert_close(sums.values[frame], expected.values, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(sums.values.sum(0), sum_errors(prediction, alloy).values, rtol=1e-12, atol=1e-12)
    assert sums.counts.shape == (6, len(QUANTITIES))


def test_older_sums_lack_signed_errors() -> None:
    old = torch.arange(20.0, dtype=torch.float64).view(5, 4)
    restored = ErrorSums.restored(old)
    assert torch.equal(restored.values[:, [0, 1, 2, 4]], old)
    assert restored.rmse() == {
        name: (row[1] / row[3]) ** 0.5 for name, row in zip(QUANTITIES, old.tolist(), strict=True)
    }
    assert torch.equal(ErrorSums.restored(restored.values).values, restored.values)


def test_frames_of_all_processes_are_brought_into_one_order(alloy: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    potential = make_potential(alloy)
    shares = [alloy.select([4, 0]), alloy.select([]), alloy.select([5, 3, 1, 2])]
    sums = [sum_errors(predict(potential, each), each, per_frame=True).values.unsqueeze(0) for each in (*shares, alloy)]
    sent: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr("pwmlff.distributed.gather", lambda value: sent.append(value) or [value])
        for own, share in zip(sums, (*shares, alloy), strict=True):
            FrameErrors.gathered(own, share, 2)
    whole = FrameErrors.gathered(sums[-1], alloy, 2)
    monkeypatch.setattr("pwmlff.distributed.gather", lambda value: sent[:3])
    gathered = FrameErrors.gathered(sums[0], shares[0], 2)
    np.testing.assert_allclose(gathered.sums, whole.sums, rtol=1e-11, atol=1e-13)  # equal with native kernels
    np.testing.assert_array_equal(gathered.holds, whole.holds)
    in_order = sorted(range(6), key=lambda frame: alloy.codes[frame])
    held = [[bool((alloy.atom_types[alloy.atom_frame == frame] == t).any()) for frame in in_order] for t in (0, 1)]
    np.testing.assert_array_equal(whole.holds[:2], held)


def test_penalties_of_a_model_without_types() -> None:
    penalties = Penalties(0.5, 2.0, np.full(4, -1), 0)
    np.testing.assert_allclose(penalties.of(np.array([[3.0, -4.0, 0.0, 0.0]])), [[[0.5 * 7 / 4, 2.0 * 2.5]]])


def test_usual_penalties_are_those_of_gpumd(alloy: Batch) -> None:
    potential = make_potential(alloy)
    n_weights = sum(p.numel() for p in potential.parameters())
    assert make_update(potential).penalties.lambda_1 == pytest.approx(math.sqrt(1e-6 * n_weights / 2))
    assert make_update(potential, lambda_2=0).penalties.lambda_2 == 0.0


def test_deviations_at_the_start_are_those_of_the_layers(alloy: Batch) -> None:
    potential = make_potential(alloy, "NN")  # whose biases begin with 0
    update = make_update(potential, sigma0=None)
    deviations = np.split(update.distribution.deviation, np.cumsum(update._vector.sizes)[:-1])
    of_all = 0.1 * float(weights_of(potential).square().mean().sqrt())
    for (name, weight), own in zip(potential.named_parameters(), deviations, strict=True):
        expected = of_all if "bias" in name else 0.1 * float(weight.detach().square().mean().sqrt())
        np.testing.assert_allclose(own, expected, rtol=1e-12, err_msg=name)


def test_settings() -> None:
    config = SnesConfig()
    assert [config.for_frames(n).batch_size for n in (25, 1000, 1001, 2500)] == [25, 1000, 501, 834]
    assert SnesConfig(batch_size=7).for_frames(25).batch_size == 7
    assert config.usual_epochs(100) == 200
    assert config.loss_weights.as_tuple() == (1.0, 1.0, 0.0, 0.0, 0.0)
    assert any("20000" in line for line in config.cautions(100))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lambda_e": 0, "lambda_f": 0}, "are 0; give one of them"),
        ({"sigma0": 2.0}, "`sigma0` is 2, expected at most `sigma_max` \\(1\\)"),
        ({"population": 1}, "greater than or equal to 2"),
        ({"lambda_3": 1.0}, "lambda_3"),
        ({"lambda_1": -1.0}, "lambda_1"),
    ],
)
def test_wrong_settings_are_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SnesConfig.model_validate(given)


def test_what_is_returned_are_the_errors_of_the_model_that_is_kept(alloy: Batch) -> None:
    potential = make_potential(alloy)
    sums = make_update(potential, train_virial=True).step(alloy)
    kept = sum_errors(predict(potential, alloy), alloy).rmse()
    assert sums.rmse()[keys.FORCES] == pytest.approx(kept[keys.FORCES], rel=1e-12)
    assert sums.rmse()[keys.ENERGY] == pytest.approx(kept[keys.ENERGY], rel=1e-9)
