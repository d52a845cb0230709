"""Functions chosen from the data: candidates against the twin, and choices that are known beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pwmlff.cli.main import app
from pwmlff.config import load_config
from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.data.radial import radial_density
from pwmlff.data.writers import write_extxyz
from pwmlff.errors import ConfigError
from pwmlff.models.bp.basis import automatic_functions, choose_basis, shortest_distances
from pwmlff.models.bp.candidates import Candidates, radial_factor
from pwmlff.models.bp.config import BPDescriptorConfig
from pwmlff.models.bp.cost import Surroundings
from pwmlff.models.bp.functions import SymmetryFunction
from pwmlff.models.bp.stored import function_arrays
from pwmlff.ops.reference import bp
from pwmlff.ops.reference.cutoffs import CUTOFF_FUNCTIONS

ELEMENTS = ("O", "H")
TYPE_OF = {8: 0, 1: 1}


def frame(seed: int, **labels: Any) -> Frame:
    random = np.random.default_rng(seed)
    grid = np.array([[x, y, z] for x in (0, 2.2) for y in (0, 2.2) for z in (0, 2.2)], dtype=float)
    positions = grid + random.uniform(-0.35, 0.35, grid.shape)
    numbers = [8, 1, 1, 8, 1, 1, 8, 8]
    return Frame(atomic_numbers=numbers, positions=positions, cell=np.eye(3) * 4.6, **labels)


def options(**keys: Any) -> BPDescriptorConfig:
    return BPDescriptorConfig.model_validate({"Rmax": 4.0, "n_radial": 3, "n_angular": 4, **keys})


def batch_of(given: Frame, cutoff: float = 4.0) -> Batch:
    return collate([make_sample(given, TYPE_OF, cutoff)])


@pytest.mark.parametrize("weights", ["resolved", "one", "Z"])
def test_candidates_are_what_the_twin_computes(weights: str) -> None:
    settings = options(neighbor_weights=weights, cutoff_function="poly2", inner_fraction=0.1)
    candidates = Candidates(1, ELEMENTS, np.array([0.9, 1.1]), settings)
    batch = batch_of(frame(0))
    values, forces = candidates.evaluate(batch)
    arrays = function_arrays(candidates.functions, ELEMENTS, torch.float64)
    arrays |= {"cutoff_function": torch.tensor(CUTOFF_FUNCTIONS.index("poly2")), "inner_fraction": torch.tensor(0.1)}
    expected = bp.symmetry_functions(arrays, *batch.pairs)[1].values
    torch.testing.assert_close(values, expected, rtol=1e-7, atol=1e-9)
    step = 1e-5
    for atom, axis in ((0, 0), (1, 2)):
        sums = []
        for sign in (1, -1):
            positions = frame(0).positions.copy()
            positions[atom, axis] += sign * step
            sums.append(candidates.evaluate(batch_of(replace(frame(0), positions=positions)))[0].sum(0))
        torch.testing.assert_close(forces[atom, axis], -(sums[0] - sums[1]) / (2 * step), rtol=1e-5, atol=1e-6)


def labelled(weights: dict[int, list[tuple[int, float]]], settings: BPDescriptorConfig) -> list[Frame]:
    """Frames whose forces are a sum of candidates: by type, their places and weights."""
    frames = [frame(seed) for seed in range(6)]
    shortest = shortest_distances([batch_of(each) for each in frames], 2)
    forces = [np.zeros((8, 3)) for _ in frames]
    for central, chosen in weights.items():
        candidates = Candidates(central, ELEMENTS, shortest[central], settings)
        for total, each in zip(forces, frames, strict=True):
            own = candidates.evaluate(batch_of(each))[1].numpy()
            for place, weight in chosen:
                total += weight * own[:, :, place]
    return [replace(each, forces=force) for each, force in zip(frames, forces, strict=True)]


def test_functions_that_make_the_forces_are_found() -> None:
    """Forces that are sums of few candidates are explained, and more of them with more functions."""
    settings = options()
    frames = labelled({0: [(12, 1.0), (100, -0.5)], 1: [(60, 2.0), (300, 0.7)]}, settings)
    shares = [choose_basis(frames, ELEMENTS, options(n_radial=n, n_angular=n)).force_share or 0.0 for n in (1, 2, 4)]
    assert shares[0] > 0.7
    assert shares[0] < shares[1] < shares[2] <= 1.0
    assert shares[2] > 0.999


def test_a_single_function_is_the_first_choice() -> None:
    settings = options(n_radial=1, n_angular=0)
    frames = labelled({1: [(3, 1.0)]}, settings)
    basis = choose_basis(frames, ELEMENTS, settings)
    shortest = shortest_distances([batch_of(each) for each in frames], 2)
    expected = Candidates(1, ELEMENTS, shortest[1], settings).functions[3]
    assert basis.elements["H"].functions == (expected,)
    assert basis.force_share == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("has_forces", [True, False])
def test_numbers_and_shares(has_forces: bool) -> None:
    frames = labelled({0: [(3, 1.0), (150, 1.0)], 1: [(70, 1.0)]}, options())
    if not has_forces:
        frames = [replace(each, forces=None) for each in frames]
    basis = choose_basis(frames, ELEMENTS, options())
    for element, own in basis.elements.items():
        assert [f.is_radial for f in own.functions] == [True] * 3 + [False] * 4
        assert {f.central for f in own.functions} == {element}
        assert 0.0 < own.share < 1.0
        more = choose_basis(frames, ELEMENTS, options(n_radial=8, n_angular=16)).elements[element]
        assert own.share < more.share <= 1.0
    assert (basis.force_share is not None) == has_forces
    assert automatic_functions(frames, ELEMENTS, options()) == basis.functions
    assert basis.n_atoms == 48


def test_without_forces_each_choice_tells_most_of_the_rest() -> None:
    """The first is the candidate whose squared correlations with all others of its kind have the largest sum."""
    frames = [frame(seed) for seed in range(6)]
    settings = options(n_radial=1, n_angular=0, Rmax=3.5)
    basis = choose_basis(frames, ELEMENTS, settings)
    batches = [batch_of(each, 3.5) for each in frames]
    candidates = Candidates(0, ELEMENTS, shortest_distances(batches, 2)[0], settings)
    values = np.concatenate([candidates.evaluate(batch)[0].numpy() for batch in batches])
    is_alive = values.std(0) > 0.01
    scores = np.where(is_alive, 0.0, -1.0)
    with np.errstate(invalid="ignore"):
        correlations = np.corrcoef(values.T)
    scores[is_alive] = (correlations[np.ix_(is_alive, is_alive)] ** 2).sum(0)
    assert basis.elements["O"].functions == (candidates.functions[int(scores.argmax())],)


@pytest.mark.parametrize(
    ("function", "counted"),
    [
        ({"type": "G2", "neighbors": ["H"]}, [(1,)]),
        ({"type": "G2", "weights": "Z"}, [(0,), (1,)]),
        ({"type": "G5", "zeta": 2, "neighbors": ["H", "H"]}, [(1,)] * 9),
        ({"type": "G5", "zeta": 1, "neighbors": ["O", "H"]}, [(0,), (1,)] * 4),
        ({"type": "G5", "zeta": 1, "weights": "one"}, [(0,), (1,)] * 4),
        ({"type": "G5", "zeta": 1.5, "neighbors": ["H", "H"]}, [(1, 1)]),
        ({"type": "G5", "zeta": 9, "neighbors": ["O", "H"]}, [(0, 1), (1, 0)]),
        ({"type": "G4", "zeta": 1}, [(0, 0), (0, 1), (1, 0), (1, 1)]),
    ],
)
def test_terms_are_of_neighbours_or_pairs_of_them(function: dict[str, Any], counted: list[tuple[int, ...]]) -> None:
    angular = {"lambda": 1} if "zeta" in function else {}
    surroundings = Surroundings(ELEMENTS)
    n_atoms, n_terms = 0, 0
    for seed in (0, 1):
        batch = batch_of(frame(seed))
        surroundings.add(batch)
        for atom in torch.nonzero(batch.atom_types == 0).squeeze(-1).tolist():
            n_atoms += 1
            types = batch.pair_types[batch.pair_start[atom] : batch.pair_start[atom + 1]].tolist()
            if len(counted[0]) == 1:
                n_terms += sum(counted.count((a,)) for a in types)
            else:
                n_terms += sum((types[j], types[k]) in counted for k in range(len(types)) for j in range(k))
    given = SymmetryFunction.model_validate({**function, **angular, "cutoff": 4.0, "eta": 1.0})
    assert surroundings.terms(0, given) == pytest.approx(n_terms / n_atoms, rel=1e-12)


@pytest.mark.parametrize("has_forces", [True, False])
def test_a_cost_is_kept(has_forces: bool) -> None:
    frames = labelled({0: [(3, 1.0), (150, 1.0)], 1: [(70, 1.0)]}, options())
    if not has_forces:
        frames = [replace(each, forces=None) for each in frames]
    surroundings = Surroundings(ELEMENTS)
    for each in frames:
        surroundings.add(batch_of(each))
    shares = []
    for cost in (160.0, 640.0):
        basis = choose_basis(frames, ELEMENTS, options(cost=cost))
        for central, own in enumerate(basis.elements.values()):
            terms = [surroundings.terms(central, function) for function in own.functions]
            assert own.n_terms == pytest.approx(sum(terms), rel=1e-12)
            assert 0.5 * cost < own.n_terms <= cost
        shares.append(basis.elements["O"].share)
    assert shares[0] < shares[1]


def test_the_first_choice_gains_most_for_its_cost() -> None:
    frames = labelled({0: [(30, 1.0), (100, 1.0)], 1: [(60, 1.0), (300, 0.7)]}, options())
    batches = [batch_of(each) for each in frames]
    shortest = shortest_distances(batches, 2)
    surroundings = Surroundings(ELEMENTS)
    for batch in batches:
        surroundings.add(batch)
    scores, prices, functions, cheapest = [], [], [], []
    forces = np.concatenate([np.asarray(each.forces).ravel() for each in frames])
    for central in (0, 1):
        candidates = Candidates(central, ELEMENTS, shortest[central], options())
        seen = [candidates.evaluate(batch) for batch in batches]
        columns = np.concatenate([own.flatten(0, 1).numpy() for _, own in seen])
        is_alive = np.concatenate([values.numpy() for values, _ in seen]).std(0) > 0.01
        terms = np.array([surroundings.terms(central, function) for function in candidates.functions])
        gains = (forces @ columns) ** 2 / np.maximum((columns**2).sum(0), 1e-300)
        scores += np.where(is_alive, gains / np.maximum(terms, 1e-300), -1.0).tolist()
        prices += terms.tolist()
        functions += candidates.functions
        cheapest.append(terms[terms > 0].min())
    best = int(np.argmax(scores))
    # so little that hardly another one is affordable
    basis = choose_basis(frames, ELEMENTS, options(cost=max(prices[best], *cheapest)))
    assert functions[best] in basis.functions


def test_a_cost_that_affords_nothing() -> None:
    frames = labelled({1: [(3, 1.0)]}, options())
    with pytest.raises(
        ConfigError, match="cost: expected at least the .* terms per atom of one function of O, got 0.5"
    ):
        choose_basis(frames, ELEMENTS, options(cost=0.5))


def test_an_element_without_neighbours() -> None:
    alone = Frame(atomic_numbers=[8, 1], positions=[[0, 0, 0], [9, 0, 0]], cell=np.eye(3) * 30)
    with pytest.raises(ConfigError, match="no atom of O has a neighbour within 4 Å in the training data; raise"):
        choose_basis([alone], ELEMENTS, options())


def test_the_factor_of_a_distance() -> None:
    r = np.linspace(0.1, 5, 50)
    function = SymmetryFunction(type="G2", cutoff=4.0, eta=0.7, r_s=1.0)
    step = np.where(r < 4, 0.5 * (np.cos(np.pi * r / 4) + 1), 0)
    np.testing.assert_allclose(radial_factor(function, r, "cos", 0.0), np.exp(-0.7 * (r - 1) ** 2) * step, atol=1e-14)
    wave = SymmetryFunction(type="G3", cutoff=4.0, kappa=2.0)
    np.testing.assert_allclose(radial_factor(wave, r, "cos", 0.0), np.cos(2 * r) * step, atol=1e-14)


def test_density_of_neighbours() -> None:
    """A cubic lattice has 6 neighbours at its spacing and 12 at the diagonal."""
    lattice = Frame(atomic_numbers=[8], positions=[[0, 0, 0]], cell=np.eye(3) * 2.0)
    edges = np.array([0.0, 1.5, 2.5, 3.0])
    volumes = 4 / 3 * np.pi * np.diff(edges**3)
    density = radial_density([lattice, lattice], ELEMENTS, edges)
    np.testing.assert_allclose(density[0, 0] * volumes, [0, 6, 12])
    assert not density[1].any()


def test_init_writes_and_draws_them(tmp_path: Path) -> None:
    frames = [replace(each, energy=0.0) for each in labelled({0: [(3, 1.0)], 1: [(70, 1.0)]}, options())]
    write_extxyz(tmp_path / "train.xyz", frames)
    path = tmp_path / "nn.json"
    result = CliRunner().invoke(app, ["init", "nn", "-o", str(path), "--data", str(tmp_path / "train.xyz")])
    assert result.exit_code == 0, result.output
    assert "% of the variance of" in result.output
    functions = load_config(path).model.descriptor.functions
    assert len(functions) == 64
    assert "// symmetry functions chosen from 6 frames: H 8 radial, 24 angular; O 8 radial" in path.read_text()
    assert (tmp_path / "nn.png").read_bytes().startswith(b"\x89PNG")
