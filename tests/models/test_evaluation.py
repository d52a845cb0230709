"""Derivatives by the weights from one native pass, against automatic differentiation of the PyTorch twins."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential
from pwmlff.models.evaluation import Evaluation
from pwmlff.ops import library

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

PARTS = torch.tensor([0, 20, 20, 100, 150])  # one without atoms
WITHOUT_PAIRS = (3, 4, 119, 149)


# the names in MODELS, and keys of their sections that change what is differentiated
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, keys) for name in ("DP", "DP_TYPE_EMBEDDING") for keys in ({}, {"resnet_dt": True}, {"bias": False})),
    *((name, {"activation": "sigmoid"}) for name in ("DP", "DP_TYPE_EMBEDDING")),
    *(("NEP", {"version": version}) for version in (3, 4, 5)),
    ("NEP", {"descriptor": {"cutoff": [4.5, 4.0], "n_max": [15, 9], "basis_size": [9, 0], "l_max": [8, 0, 0]}}),
    ("NN", {}),
    ("NN", {"fitting_net": {"network_size": [3, 9, 20], "activation": ["softplus", "cos", "sigmoid"]}}),
]
# symmetry functions: of pairs that overlap in their powers, and of each kind
FUNCTIONS: list[dict[str, Any]] = [
    {"type": "G2", "cutoff": 4.5, "eta": 0.5, "r_s": 2.0, "factor": 0.2},
    {"type": "G3", "cutoff": 4.0, "kappa": 2.0, "factor": 0.2},
    *(
        {"type": kind, "cutoff": 4.2, "eta": eta, "lambda": sign, "zeta": zeta, "factor": 0.05}
        for kind in ("G4", "G5")
        for eta, sign, zeta in ((0.05, 1, 2), (0.2, 1, 2), (0.2, -1, 3.5))
    ),
    {"type": "triple", "centers": [2.5, 3.0, 3.0], "half_widths": [1.5, 1.2, 2.0], "factor": 0.1},
]


ZBL = ZBLConfig(inner=1.2, outer=2.0)


def make_potential(
    name: str, n_types: int, dtype: str = "float64", zbl: ZBLConfig | None = ZBL, **keys: Any
) -> Potential:
    if name == "NEP":
        descriptor = {"cutoff": [4.5, 4.0], "n_max": [3, 2], "basis_size": [4, 3], "l_max": [4, 2, 1, 1, 1, 1, 1]}
        settings = {"descriptor": descriptor, "fitting_net": {"network_size": 10}, "start": "gpumd", **keys}
    elif name == "NN":
        descriptor = {"functions": FUNCTIONS, "normalization": "none"}
        settings = {"descriptor": descriptor, "fitting_net": {"network_size": [7, 8]}, **keys}
    else:
        settings = {
            "descriptor": {"Rmax": 4.5, "Rmin": 1.0, "M2": 4, "network_size": [6, 12, 12], **keys},
            "fitting_net": {"network_size": [10, 10, 1], **keys},
        }
    torch.manual_seed(0)
    config = MODELS[name].Config.model_validate(settings)
    elements = ["Cu", "Au", "O"][:n_types]
    potential = build_potential(name, config, elements, dtype, zbl)
    if name == "NEP":
        potential.network.scaler.uniform_(0.02, 0.05)
    elif name == "NN":
        potential.network.scaling.uniform_(0.3, 0.8)
    else:
        environment = potential.network.environment
        environment.mean.uniform_(0.1, 0.3)
        environment.scale.uniform_(0.3, 0.6)
        environment.n_neighbors.fill_(30.0)
    return potential


def make_pairs(n_types: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Atoms with up to two blocks of pairs, some of them without; the second and third part lack the last element."""
    generator = torch.Generator().manual_seed(1)
    counts = torch.randint(0, 70, (150,), generator=generator)
    counts[list(WITHOUT_PAIRS)] = 0
    start = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    n_pairs = int(start[-1])
    directions = torch.randn(n_pairs, 3, generator=generator, dtype=torch.float64)
    lengths = 1 + 4 * torch.rand(n_pairs, 1, generator=generator, dtype=torch.float64)
    vectors = torch.nn.functional.normalize(directions) * lengths
    atom_types = torch.randint(0, n_types, (150,), generator=generator)
    atom_types[20:100].clamp_(max=max(0, n_types - 2))
    return vectors, start, torch.randint(0, n_types, (n_pairs,), generator=generator), atom_types


def evaluate(potential: Potential, pairs: tuple[Tensor, ...], monkeypatch: pytest.MonkeyPatch) -> list[Evaluation]:
    """Return what the kernels and what the twins make of it."""
    native = potential.evaluate_parts(*pairs, part_start=PARTS)
    monkeypatch.setattr(type(potential.network), "trained_by_kernels_on", ())
    return [native, potential.evaluate_parts(*pairs, part_start=PARTS)]


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize(("name", "keys"), CASES)
@pytest.mark.parametrize("n_types", [1, 3])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-5)])
def test_equals_twin(
    name: str, n_types: int, keys: dict[str, Any], dtype: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = make_pairs(n_types)
    native, twin = evaluate(make_potential(name, n_types, dtype, **keys), pairs, monkeypatch)
    assert native.gradients is not None
    assert twin.gradients is not None
    assert difference(native.energies, twin.energies) < tolerance
    assert difference(native.gradients, twin.gradients) < tolerance
    by_energies = torch.randn(4, 150, dtype=torch.float64)
    by_energies[1] = 0.0
    by_gradients = torch.randn(2, *pairs[0].shape, dtype=torch.float64)
    rows, expected = (e.weight_gradients(by_energies, by_gradients) for e in (native, twin))
    assert rows.shape == (4, 4, expected.shape[-1])
    assert not rows[1].any()
    for row, other in zip(rows[[0, 2, 3]].flatten(0, 1), expected[[0, 2, 3]].flatten(0, 1), strict=True):
        assert difference(row, other) < tolerance


@pytest.mark.parametrize("name", ["DP", "DP_TYPE_EMBEDDING", "NEP", "NN"])
@pytest.mark.parametrize("n_directed", [0, 1])
def test_energies_or_gradients_alone(name: str, n_directed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = make_pairs(2)
    native, twin = evaluate(make_potential(name, 2), pairs, monkeypatch)
    by_energies = (1 - n_directed) * torch.randn(1, 150, dtype=torch.float64)
    by_gradients = torch.randn(n_directed, *pairs[0].shape, dtype=torch.float64)
    assert difference(*(e.weight_gradients(by_energies, by_gradients) for e in (native, twin))) < 1e-11


@pytest.mark.parametrize(("name", "part"), [("DP", "fitting.0"), ("NEP", "central.1.coefficients"), ("NN", "nets.0")])
def test_only_trained_weights_are_differentiated_by(name: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, potential = make_pairs(2), make_potential(name, 2)
    potential.network.get_submodule(part).requires_grad_(False)
    native, twin = evaluate(potential, pairs, monkeypatch)
    factors = torch.randn(1, 150, dtype=torch.float64), torch.randn(1, *pairs[0].shape, dtype=torch.float64)
    assert difference(*(e.weight_gradients(*factors) for e in (native, twin))) < 1e-11


@pytest.mark.parametrize("name", ["DP", "NEP", "NN"])
def test_any_number_of_threads_agrees(name: str) -> None:
    pairs, potential = make_pairs(2), make_potential(name, 2)
    factors = torch.randn(2, 150, dtype=torch.float64), torch.randn(1, *pairs[0].shape, dtype=torch.float64)
    before, rows = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            rows.append(potential.evaluate_parts(*pairs, part_start=PARTS).weight_gradients(*factors))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(rows[0], rows[1])  # a task per part, as there are more parts than threads
    assert difference(rows[2], rows[0]) < 1e-13


def with_embedding_scaled(factor: float) -> Potential:
    potential = make_potential("DP", 1, zbl=None)
    with torch.no_grad():
        for weight in potential.network.embedding.parameters():
            weight.mul_(factor)
    return potential


# few panels of a series, many, and more than there are pairs for: the net itself
@pytest.mark.parametrize("factor", [1.0, 4.0, 30.0])
def test_embedding_nets_of_any_steepness(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = make_pairs(1)
    native, twin = evaluate(with_embedding_scaled(factor), pairs, monkeypatch)
    assert native.gradients is not None
    assert twin.gradients is not None
    assert difference(native.energies, twin.energies) < 1e-12
    assert difference(native.gradients, twin.gradients) < 1e-12
    factors = torch.randn(2, 150, dtype=torch.float64), torch.randn(1, *pairs[0].shape, dtype=torch.float64)
    rows, expected = (e.weight_gradients(*factors) for e in (native, twin))
    for row, other in zip(rows[[0, 2, 3]].flatten(0, 1), expected[[0, 2, 3]].flatten(0, 1), strict=True):
        assert difference(row, other) < 1e-11


@pytest.mark.parametrize(("factor", "is_series"), [(1.0, True), (30.0, False)])
def test_few_pairs_and_many_have_the_same_energies(factor: float, is_series: bool) -> None:
    vectors, start, pair_types, atom_types = make_pairs(1)
    potential = with_embedding_scaled(factor)
    together = potential.evaluate_parts(vectors, start, pair_types, atom_types, part_start=PARTS).energies
    alone = [
        potential.evaluate_parts(
            vectors[first:last],
            torch.tensor([0, last - first]),
            pair_types[first:last],
            atom_types[:1],
            part_start=torch.tensor([0, 1]),
        ).energies
        for first, last in zip(start[:-1].tolist(), start[1:].tolist(), strict=True)
    ]
    assert difference(together, torch.cat(alone)) < 1e-13
    assert torch.equal(together, torch.cat(alone)) != is_series


@pytest.mark.parametrize("nearest", [None, 1e-4])
def test_distances_all_equal_or_one_very_short(nearest: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, *others = make_pairs(1)
    vectors = 2.5 * torch.nn.functional.normalize(vectors)
    if nearest is not None:
        vectors[7] *= nearest
    native, twin = evaluate(make_potential("DP", 1, zbl=None), (vectors, *others), monkeypatch)
    assert native.gradients is not None
    assert twin.gradients is not None
    assert difference(native.energies, twin.energies) < 1e-12
    assert difference(native.gradients, twin.gradients) < 1e-12
    factors = torch.randn(1, 150, dtype=torch.float64), torch.randn(1, *vectors.shape, dtype=torch.float64)
    assert difference(*(e.weight_gradients(*factors) for e in (native, twin))) < 1e-11


def test_a_pair_without_distance_makes_its_atom_nan() -> None:
    vectors, *others = make_pairs(1)
    vectors[7] = 0.0
    energies = make_potential("DP", 1, zbl=None).evaluate_parts(vectors, *others, part_start=PARTS).energies
    assert energies.isnan().nonzero().flatten().tolist() == [int((others[0] <= 7).sum()) - 1]


@pytest.mark.parametrize("name", ["DP", "NEP", "NN"])
def test_no_pairs_and_no_atoms(name: str) -> None:
    potential = make_potential(name, 2)
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    none = torch.zeros(0, dtype=torch.int64)
    for n_atoms in (0, 2):
        pairs = (nothing, torch.zeros(n_atoms + 1, dtype=torch.int64), none, none.new_zeros(n_atoms))
        evaluation = potential.evaluate_parts(*pairs, part_start=torch.tensor([0, n_atoms]))
        rows = evaluation.weight_gradients(torch.ones(1, n_atoms, dtype=torch.float64), nothing.unsqueeze(0))
        assert rows.shape == (1, 1, sum(p.numel() for p in potential.parameters()))
        assert rows.isfinite().all()


@pytest.mark.parametrize("name", ["DP_TYPE_EMBEDDING", "NEP", "NN"])
@pytest.mark.parametrize("trained", ["energies", "gradients"])
def test_a_loss_sees_the_same_weights(name: str, trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, potential, results = make_pairs(2), make_potential(name, 2), []
    for by_kernels in (True, False):
        monkeypatch.setattr(type(potential.network), "trained_by_kernels_on", ("cpu",) * by_kernels)
        energies, gradients = potential.energies_and_gradients(*pairs, differentiable=True)
        loss = energies.square().sum() if trained == "energies" else gradients.square().sum()
        results.append(
            torch.autograd.grad(loss, list(potential.parameters()), materialize_grads=True, allow_unused=True)
        )
    for native, twin in zip(*results, strict=True):
        torch.testing.assert_close(native, twin, rtol=1e-10, atol=1e-10 * float(twin.abs().max()))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, torch.tensor([0, 149]), "run from 0 to 150"),
        (1, torch.zeros(1, 149, dtype=torch.float64), r"\[K, N\]"),
        (2, torch.zeros(2, 5, 3, dtype=torch.float64), r"E, 3\]"),
        (1, torch.zeros(1, 150), "float64"),
    ],
)
def test_wrong_arguments_are_refused(place: int, value: Tensor, message: str) -> None:
    pairs, potential = make_pairs(2), make_potential("DP", 2)
    arguments = [PARTS, torch.zeros(1, 150, dtype=torch.float64), torch.zeros(0, *pairs[0].shape, dtype=torch.float64)]
    arguments[place] = value
    evaluation = potential.evaluate_parts(*pairs, part_start=arguments[0])
    with pytest.raises(RuntimeError, match=message):
        evaluation.weight_gradients(*arguments[1:])
