"""A stored Behler-Parrinello net on the native kernels, against its twin, plain loops and differences."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from typing import Any

import kernel_calls
import pytest
import torch
from kernel_calls import Arrays, Pairs, assert_close, random_pairs
from torch import Tensor

from pwmlff.ops import StoredModel, evaluate_candidates, library, make_evaluator, reference

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")

Rows = list[tuple[int, list[float]]]  # kind and parameters of functions

G1, G2, G3, G4, G5, PIECE, TRIPLE = range(1, 8)
TANH, SIGMOID, LINEAR, SOFTPLUS = range(4)
N_CUTOFFS, N_ACTIVATIONS = 9, 10

# of energies and gradients, relative to the largest, by dtype and double_geometry
TOLERANCE = {("float64", 1): 1e-12, ("float32", 1): 2e-5, ("float32", 0): 3e-5}

RADIAL: Rows = [
    (G1, [5.0, 0.0, 0.0]),
    (G2, [5.0, 0.5, 0.0]),
    (G2, [4.5, 2.0, 1.5]),
    (G3, [5.0, 1.7, 0.0]),
    (G3, [5.0, 6.5, 0.0]),
    (PIECE, [3.5, 2.5, 1.0]),
]
ANGULAR: Rows = [
    (kind, [cutoff, eta, r_s, sign, zeta, 0.0, 0.0])
    for kind in (G4, G5)
    for cutoff, eta, r_s in ((4.5, 0.05, 0.0), (4.5, 0.0, 0.0), (4.0, 0.3, 1.2))
    for sign, zeta in ((1.0, 1.0), (-1.0, 1.0), (1.0, 4.0), (-1.0, 2.5), (0.5, 3.0), (-1.0, 16.0), (1.0, 7.0))
]
TRIPLES: Rows = [
    (TRIPLE, [4.2, 2.0, 2.0, 3.0, 1.5, 1.5, 1.5]),
    (TRIPLE, [4.2, 1.5, 3.0, 2.5, 1.2, 1.2, 1.5]),
]


@dataclass(frozen=True)
class Case:
    """A model whose nets are random: its functions, the same for each central type, and what else it has."""

    radial: Rows = field(default_factory=lambda: RADIAL)
    angular: Rows = field(default_factory=lambda: ANGULAR + TRIPLES)
    n_types: int = 2
    cutoff: int = 1
    inner_fraction: float = 0.0
    activations: tuple[int, ...] = (TANH, TANH, LINEAR)
    weights: str = "all"  # or "resolved": each function is for one type of neighbour, or of pairs of them


def make_arrays(case: Case) -> Arrays:
    """Widths differ between central types; an input is about 1."""
    generator = torch.Generator().manual_seed(4)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    n = case.n_types
    n_radial, n_angular = len(case.radial), len(case.angular)
    radial_weights, angular_weights = 0.5 + random(n * n_radial, n).abs(), 0.5 + random(n * n_angular, n, n).abs()
    if case.weights == "resolved":
        pairs = [(a, b) for a in range(n) for b in range(a, n)]
        for f, row in enumerate(radial_weights):
            row *= torch.arange(n) == f % n
        for f, matrix in enumerate(angular_weights):
            a, b = pairs[f % len(pairs)]
            kept = torch.zeros(n, n, dtype=torch.float64)
            kept[a, b] = kept[b, a] = 1.0
            matrix *= kept
    is_triple = torch.tensor([kind == TRIPLE for kind, _ in case.angular * n], dtype=torch.bool).view(-1, 1, 1)
    symmetric = angular_weights + angular_weights.transpose(1, 2)
    arrays = {
        "cutoff_function": torch.tensor(case.cutoff),
        "inner_fraction": torch.tensor(case.inner_fraction, dtype=torch.float64),
        "radial_start": torch.arange(n + 1) * n_radial,
        "radial_kind": torch.tensor([kind for kind, _ in case.radial * n], dtype=torch.int64),
        "radial": torch.tensor([row for _, row in case.radial * n], dtype=torch.float64).view(-1, 3),
        "radial_weights": radial_weights,
        "angular_start": torch.arange(n + 1) * n_angular,
        "angular_kind": torch.tensor([kind for kind, _ in case.angular * n], dtype=torch.int64),
        "angular": torch.tensor([row for _, row in case.angular * n], dtype=torch.float64).view(-1, 7),
        "angular_weights": torch.where(is_triple, angular_weights, symmetric),
        "scaling": torch.stack(
            [random(n * (n_radial + n_angular)), 0.1 + 0.2 * random(n * (n_radial + n_angular)).abs()], 1
        ),
        "activations": torch.tensor(case.activations),
        "double_geometry": torch.tensor(1),
    }
    for t in range(n):
        n_in = n_radial + n_angular
        for layer in range(len(case.activations)):
            n_out = 1 if layer + 1 == len(case.activations) else 7 + 2 * t + layer
            arrays[f"net.{t}.{layer}.weight"] = random(n_out, n_in) / math.sqrt(n_in)
            arrays[f"net.{t}.{layer}.bias"] = 0.3 * random(n_out)
            n_in = n_out
    return arrays


def make_pairs(n_types: int, n_atoms: int = 24, most: int = 20, longest: float = 6.0) -> Pairs:
    """Atoms with 0, 1 and up to `most` pairs of all lengths up to beyond the cutoffs."""
    return random_pairs(n_types, n_atoms, most, shortest=1.0, longest=longest, counts=[most, 0, 1])


def in_precision(arrays: Arrays, dtype: str, double_geometry: int) -> Arrays:
    """Return the same model with all Real arrays of another precision."""
    real = [name for name in arrays if name.endswith(("weights", "weight", "bias", "scaling"))]
    lower = {name: arrays[name].to(getattr(torch, dtype)) for name in real}
    return {**arrays, **lower, "double_geometry": torch.tensor(double_geometry)}


by_twin, by_kernels = partial(kernel_calls.by_twin, "bp"), partial(kernel_calls.by_kernels, "bp")


def loop_cutoff(kind: int, alpha: float, r: float, r_c: float) -> float:
    if r >= r_c:
        return 0.0
    x = max(0.0, (r - alpha * r_c) / (r_c - alpha * r_c))
    return [
        1.0,
        0.5 * (1 + math.cos(math.pi * x)),
        math.tanh(1 - r / r_c) ** 3,
        (math.tanh(1 - r / r_c) / math.tanh(1)) ** 3,
        math.exp(1 - 1 / (1 - x * x)),
        (2 * x - 3) * x**2 + 1,
        ((15 - 6 * x) * x - 10) * x**3 + 1,
        (x * (x * (20 * x - 70) + 84) - 35) * x**4 + 1,
        (x * (x * ((315 - 70 * x) * x - 540) + 420) - 126) * x**5 + 1,
    ][kind]


def loop_piece(r: float, center: float, half_width: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * (r - center) / half_width) if abs(r - center) < half_width else 0.0


def loop_functions(arrays: Arrays, pairs: Pairs, atom: int) -> list[float]:
    """Return the symmetry functions of an atom, as they are written."""
    vectors, start, types, atom_types = (each.tolist() for each in pairs)
    arrays = {name: array.tolist() for name, array in arrays.items()}
    near = [(vectors[e], types[e]) for e in range(start[atom], start[atom + 1])]
    central = atom_types[atom]

    def f_c(r: float, r_c: float) -> float:
        return loop_cutoff(arrays["cutoff_function"], arrays["inner_fraction"], r, r_c)

    values = []
    for f in range(*arrays["radial_start"][central : central + 2]):
        kind, (r_c, a, b), total = arrays["radial_kind"][f], arrays["radial"][f], 0.0
        for vector, t in near:
            r = math.hypot(*vector)
            shape = {G1: 1.0, G2: math.exp(-a * (r - b) ** 2), G3: math.cos(a * r)}.get(kind)
            term = loop_piece(r, a, b) if shape is None else shape * f_c(r, r_c)
            total += arrays["radial_weights"][f][t] * term
        values.append(total)
    for f in range(*arrays["angular_start"][central : central + 2]):
        kind, (r_c, *row), total = arrays["angular_kind"][f], arrays["angular"][f], 0.0
        for j, (v_j, t_j) in enumerate(near):
            for k, (v_k, t_k) in enumerate(near):
                if j == k:
                    continue
                r_ij, r_ik, r_jk = math.hypot(*v_j), math.hypot(*v_k), math.dist(v_j, v_k)
                if kind == TRIPLE:
                    sides = zip((r_ij, r_ik, r_jk), row[:3], row[3:], strict=True)
                    term = math.prod(loop_piece(*side) for side in sides)
                else:
                    eta, r_s, sign, zeta = row[:4]
                    cosine = sum(a * b for a, b in zip(v_j, v_k, strict=True)) / (r_ij * r_ik)
                    term = 2 ** (1 - zeta) * max(0.0, 1 + sign * cosine) ** zeta / 2  # each pair comes twice
                    for r in (r_ij, r_ik, r_jk) if kind == G4 else (r_ij, r_ik):
                        term *= math.exp(-eta * (r - r_s) ** 2) * f_c(r, r_c)
                total += arrays["angular_weights"][f][t_j][t_k] * term
        values.append(total)
    return values


def linear_net(arrays: Arrays, place: int) -> Arrays:
    """Return the model with inputs as they are and one of them as energy."""
    kept = {name: array for name, array in arrays.items() if not name.startswith("net.")}
    n_inputs = len(arrays["scaling"]) // (len(arrays["radial_start"]) - 1)
    one = torch.zeros(1, n_inputs, dtype=torch.float64)
    one[0, place] = 1.0
    for t in range(len(arrays["radial_start"]) - 1):
        kept[f"net.{t}.0.weight"], kept[f"net.{t}.0.bias"] = one, one.new_zeros(1)
    scaling = torch.tensor([[0.0, 1.0]], dtype=torch.float64).expand(len(arrays["scaling"]), 2).contiguous()
    return {**kept, "scaling": scaling, "activations": torch.tensor([LINEAR])}


@pytest.mark.parametrize("cutoff", range(N_CUTOFFS))
def test_functions_equal_plain_loops(cutoff: int) -> None:
    case = Case(cutoff=cutoff, inner_fraction=0.0 if cutoff in (0, 2, 3) else 0.3)
    arrays, pairs = make_arrays(case), make_pairs(2, n_atoms=6, most=9)
    expected = torch.tensor([loop_functions(arrays, pairs, atom) for atom in range(6)], dtype=torch.float64)
    for place, column in enumerate(expected.T):
        energies = by_kernels(linear_net(arrays, place), pairs)[0]
        assert (energies - column).abs().max() <= 1e-13 * (1.0 + column.abs().max())


@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize("weights", ["all", "resolved"])
@pytest.mark.parametrize("n_types", [1, 2, 4])
def test_equals_twin(n_types: int, weights: str, dtype: str, double_geometry: int) -> None:
    arrays, pairs = make_arrays(Case(n_types=n_types, weights=weights)), make_pairs(n_types)
    expected = by_twin(arrays, pairs)
    assert expected[1].abs().max() > 1e-2
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, expected, TOLERANCE[dtype, double_geometry])


@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize("inner_fraction", [0.0, 0.4])
@pytest.mark.parametrize("cutoff", range(N_CUTOFFS))
def test_cutoff_functions(cutoff: int, inner_fraction: float, dtype: str, double_geometry: int) -> None:
    arrays, pairs = make_arrays(Case(cutoff=cutoff, inner_fraction=inner_fraction)), make_pairs(2)
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, by_twin(arrays, pairs), TOLERANCE[dtype, double_geometry])


@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize("activation", range(N_ACTIVATIONS))
def test_activations(activation: int, dtype: str, double_geometry: int) -> None:
    arrays, pairs = make_arrays(Case(activations=(activation, TANH, activation, LINEAR))), make_pairs(2)
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, by_twin(arrays, pairs), 2 * TOLERANCE[dtype, double_geometry])


@pytest.mark.parametrize(
    "case",
    [
        Case(angular=[]),
        Case(radial=[]),
        Case(radial=[], angular=TRIPLES),
        Case(radial=RADIAL[:1], angular=[]),
        Case(radial=RADIAL[:2], angular=ANGULAR[:1]),
        Case(angular=[(kind, [3.0, *row[1:]]) for kind, row in ANGULAR]),  # of shorter reach than radial ones
        Case(angular=ANGULAR + ANGULAR[::2]),  # the same again
        Case(angular=ANGULAR[3:4]),
        Case(angular=[(G5, [4.5, 0.1, 0.0, 1.0, float(zeta), 0.0, 0.0]) for zeta in range(1, 40)]),
        Case(angular=[(G5, [4.5, 0.01 * k, 0.0, -1.0, float(1 + k % 3), 0.0, 0.0]) for k in range(30)]),
        Case(activations=(LINEAR,)),
        Case(activations=(SOFTPLUS, LINEAR), n_types=3),
    ],
    ids=lambda case: f"{len(case.radial)}-{len(case.angular)}-{len(case.activations)}",
)
@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
def test_shapes(case: Case, dtype: str, double_geometry: int) -> None:
    arrays, pairs = make_arrays(case), make_pairs(case.n_types)
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, by_twin(arrays, pairs), TOLERANCE[dtype, double_geometry])


def test_functions_differ_between_types() -> None:
    """One central type has radial functions only, one angular ones only."""
    arrays, pairs = make_arrays(Case()), make_pairs(2)
    n_radial, n_angular = len(RADIAL), len(ANGULAR + TRIPLES)
    lengths = {"radial": (n_radial, 0), "angular": (0, n_angular)}
    for part, counts in lengths.items():
        arrays[f"{part}_start"] = torch.tensor([0, *accumulate(counts)])
        for name in (part, f"{part}_kind", f"{part}_weights"):
            arrays[name] = arrays[name][: sum(counts)].contiguous()
    arrays["scaling"] = arrays["scaling"][: n_radial + n_angular].contiguous()
    arrays["net.0.0.weight"] = arrays["net.0.0.weight"][:, :n_radial].contiguous()
    arrays["net.1.0.weight"] = arrays["net.1.0.weight"][:, n_radial:].contiguous()
    assert_close(by_kernels(arrays, pairs), by_twin(arrays, pairs))


@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize("zeta", [1.0, 1.5, 2.0, 64.0, 100.5, 1000.0, 2000.0])
def test_collinear_neighbors(zeta: float, dtype: str, double_geometry: int) -> None:
    """Rounding may carry 1 + lambda cos theta below 0, where powers that are no integers have no value."""
    rows: Rows = [(G5, [5.0, 0.1, 0.0, sign, zeta, 0.0, 0.0]) for sign in (1.0, -1.0)]
    arrays = make_arrays(Case(angular=rows, n_types=1))
    for seed in range(5):
        axis = torch.nn.functional.normalize(
            torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=0
        )
        pairs = line([1.1, 2.3, -1.7, -3.1, 0.9], axis)
        energies, gradients = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
        assert gradients.isfinite().all()
        assert_close((energies, gradients), by_twin(arrays, pairs), 1e-10 if dtype == "float64" else 3e-4)


def line(distances: list[float], axis: Tensor) -> Pairs:
    """One atom with neighbours of its own type along an axis."""
    vectors = torch.tensor(distances, dtype=torch.float64).unsqueeze(1) * axis
    none = torch.zeros(1, dtype=torch.int64)
    return vectors, torch.tensor([0, len(distances)]), none.expand(len(distances)), none


def test_many_neighbors() -> None:
    """More than a block of vectors holds."""
    arrays, pairs = make_arrays(Case(radial=RADIAL[:2], angular=ANGULAR[:2])), make_pairs(2, n_atoms=3, most=300)
    assert_close(by_kernels(arrays, pairs), by_twin(arrays, pairs))


def test_more_atoms_than_a_chunk() -> None:
    arrays, pairs = make_arrays(Case(n_types=1)), make_pairs(1, n_atoms=100)
    assert_close(by_kernels(arrays, pairs), by_twin(arrays, pairs))


@pytest.mark.parametrize("what", ["net.1.0.weight", "radial", "angular_weights", "scaling"])
def test_candidates_share_what_is_the_same(what: str) -> None:
    """Symmetry functions are shared where only nets differ; a frame is longer than a part of it."""
    arrays = make_arrays(Case())
    changed = {**arrays, what: 0.9 * arrays[what]}
    vectors, start, pair_types, atom_types = make_pairs(2, n_atoms=60, most=40)
    centers = torch.repeat_interleave(torch.arange(60), start.diff())
    neighbors = (centers + 1 + torch.arange(len(centers)) % 29) % 30 + centers // 30 * 30
    frame_start = torch.tensor([0, 30, 60])
    models = [make_evaluator(StoredModel("bp", each)) for each in (arrays, changed)]
    results = evaluate_candidates(
        models, (vectors, start, pair_types, atom_types), neighbors, frame_start, virials=True
    )
    for number, model in enumerate(models):
        energies, gradients = model(vectors, start, pair_types, atom_types)
        forces = reference.pair_forces(gradients, start, neighbors, frame_start)
        virials = reference.pair_virials(gradients, vectors, start, frame_start)
        assert_close([each[number] for each in results], [energies, forces, virials], 1e-13)
    assert (results[1][1] - results[1][0]).abs().max() > 1e-3 * results[1].abs().max()


MOMENTS: Rows = [  # sums over neighbours for zeta up to 8, sums over pairs beyond, with the same functions of distance
    (G5, [cutoff, eta, r_s, sign, zeta, 0.0, 0.0])
    for cutoff, eta, r_s in ((5.0, 0.1, 0.0), (4.0, 2.0, 1.5))
    for sign in (1.0, -1.0, 0.5, 0.0)
    for zeta in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
]


@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize("charges", [None, (29.0, 16.0, 1.0)])
def test_moments(charges: tuple[float, ...] | None, dtype: str, double_geometry: int) -> None:
    """With weights by pairs of types, or by atomic numbers."""
    arrays, pairs = make_arrays(Case(angular=MOMENTS, n_types=3)), make_pairs(3, most=40)
    if charges is not None:
        z = torch.tensor(charges, dtype=torch.float64)
        arrays["angular_weights"] = torch.outer(z, z).expand_as(arrays["angular_weights"]).contiguous()
        arrays["scaling"][:, 1] /= z.max() ** 2
    expected = by_twin(arrays, pairs)
    assert_close(
        by_kernels(in_precision(arrays, dtype, double_geometry), pairs), expected, TOLERANCE[dtype, double_geometry]
    )


@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize(("eta", "factor"), [(1.0, 1e3), (2.0, 1e9)])
def test_small_differences_of_large_moments(eta: float, factor: float, dtype: str, double_geometry: int) -> None:
    """One neighbour has a large g, but hardly an angle with the others: moments in float32 would lose G = 6e-5.

    They would lose G = 1e-9 in float64; where the net looks at such a function, its factor tells, and pairs are summed.
    """
    rows: Rows = [(G5, [6.0, eta, 0.0, 1.0, 4.0, 0.0, 0.0])]
    vectors = torch.tensor([[1.0, 0.0, 0.0], [-2.4, 0.3, 0.0], [-2.1, 0.0, 0.8]], dtype=torch.float64)
    none = torch.zeros(1, dtype=torch.int64)
    pairs = vectors, torch.tensor([0, 3]), none.expand(3), none
    arrays = linear_net(make_arrays(Case(radial=[], angular=rows, n_types=1)), 0)
    arrays["scaling"] = torch.tensor([[0.0, factor]], dtype=torch.float64)
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, by_twin(arrays, pairs), 1e-11 if dtype == "float64" else 2e-6)


def test_one_neighbor_has_no_angle() -> None:
    arrays = linear_net(make_arrays(Case(radial=[], angular=MOMENTS, n_types=1)), 0)
    energies, gradients = by_kernels(arrays, line([1.3], torch.tensor([0.6, -0.64, 0.48], dtype=torch.float64)))
    assert not energies.any()
    assert not gradients.any()


@pytest.mark.parametrize("cutoff", range(N_CUTOFFS))
def test_gradients_are_differences(cutoff: int) -> None:
    arrays, (vectors, *rest) = make_arrays(Case(cutoff=cutoff)), make_pairs(2, n_atoms=5, most=7)
    model, step = make_evaluator(StoredModel("bp", arrays)), 1e-5
    gradients = model(vectors, *rest)[1]
    for place in range(vectors.numel()):
        energies = []
        for sign in (1, -1):
            moved = vectors.clone()
            moved.view(-1)[place] += sign * step
            energies.append(float(model(moved, *rest)[0].sum()))
        assert (energies[0] - energies[1]) / (2 * step) == pytest.approx(float(gradients.view(-1)[place]), abs=1e-7)


@pytest.mark.parametrize("cutoff", range(1, N_CUTOFFS))
def test_pairs_at_and_beyond_the_cutoff(cutoff: int) -> None:
    """Energy and gradient go to zero at the cutoff, and no pair is nearer by mistake."""
    axis = torch.tensor([0.6, -0.64, 0.48], dtype=torch.float64)
    angular: Rows = [(kind, [5.0, *row[1:]]) for kind, row in ANGULAR]
    arrays = make_arrays(Case(angular=angular, n_types=1, cutoff=cutoff))
    model = make_evaluator(StoredModel("bp", arrays))
    alone = model(*line([2.5, -2.0], axis))[0]
    for distance in (5.0, 5.0 + 1e-12, 6.0, 1e3):
        energies, gradients = model(*line([2.5, -2.0, distance], axis))
        assert torch.equal(energies, alone)
        assert not gradients[2].any()
    assert 0 < (model(*line([2.5, -2.0, 4.9], axis))[0] - alone).abs() < 0.1


def test_what_every_family_may_have() -> None:
    kernel_calls.assert_what_every_family_may_have("bp", make_arrays(Case()), make_pairs(2), 2)


def test_threads_agree() -> None:
    kernel_calls.assert_threads_agree("bp", make_arrays(Case()), make_pairs(2, n_atoms=200))


def test_no_pairs_and_no_atoms() -> None:
    kernel_calls.assert_nothing_is_nothing("bp", make_arrays(Case()))


@pytest.mark.parametrize("place", [0, 5])
def test_not_a_number_stays_visible_and_leaves_no_trace(place: int) -> None:
    kernel_calls.assert_not_a_number_is_seen_and_leaves_no_trace("bp", make_arrays(Case()), make_pairs(2), place)


def changed(name: str, place: tuple[int, ...], value: Any) -> Tensor:
    array = make_arrays(Case())[name].clone()
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scaling", None, "lacks the array 'scaling'"),
        ("scaling", torch.zeros(7, 2, dtype=torch.float64), r"'scaling' .* is float64 \[7, 2\], expected"),
        ("scaling", torch.zeros(7, 2, dtype=torch.int64), "float64 or float32, got int64"),
        ("cutoff_function", torch.tensor(9), "0 to 8 as cutoff_function, got 9"),
        ("inner_fraction", torch.tensor(1.0, dtype=torch.float64), "inner_fraction of 0 to below 1, got 1"),
        ("radial_start", torch.tensor([0]), "a type or more"),
        ("radial_start", torch.tensor([0, 7, 6]), "'radial_start' to rise from 0 to 12 in 3 steps"),
        ("angular_start", torch.tensor([0, 12]), "'angular_start' to rise from 0 to 88 in 3 steps"),
        ("radial_kind", changed("radial_kind", (3,), 5), "no radial functions of kind 5"),
        ("angular_kind", changed("angular_kind", (3,), 2), "no angular functions of kind 2"),
        ("radial", changed("radial", (0, 0), 0.0), "a cutoff above 0 of radial function 0, got 0"),
        ("radial", changed("radial", (1, 1), -0.5), "an eta of 0 or more of radial function 1, got -0.5"),
        ("radial", changed("radial", (5, 2), 0.0), "a half width above 0 of radial function 5, got 0"),
        ("radial", changed("radial", (2, 1), torch.nan), "finite parameters of radial function 2"),
        ("angular", changed("angular", (4, 4), 0.5), "a zeta of 1 or more of angular function 4, got 0.5"),
        ("angular", changed("angular", (4, 3), 1.5), "a lambda of -1 to 1 of angular function 4, got 1.5"),
        ("angular", torch.zeros(88, 5, dtype=torch.float64), "'angular' .* expected"),
        ("angular_weights", changed("angular_weights", (2, 0, 1), 9.0), "angular function 2 that are symmetric"),
        ("activations", torch.tensor([0, 0, 10]), "0 to 9 as an activation, got 10"),
        ("activations", torch.tensor([0, 0, 0]), "a linear last layer, activation 2, got 0"),
        ("net.1.1.weight", None, "lacks the array 'net.1.1.weight'"),
        ("net.1.1.weight", torch.zeros(8, 3, dtype=torch.float64), r"is float64 \[8, 3\], expected float64 \[n, 9\]"),
        ("net.0.2.weight", torch.zeros(2, 8, dtype=torch.float64), "1 to 1 neurons in 'net.0.2.weight', got 2"),
        ("double_geometry", torch.tensor(2), "'double_geometry' to be 0 or 1, got 2"),
    ],
)
def test_arrays_that_do_not_fit(name: str, value: Tensor | None, message: str) -> None:
    arrays = {**make_arrays(Case()), name: value}
    with pytest.raises(RuntimeError, match=message):
        make_evaluator(StoredModel("bp", {name: array for name, array in arrays.items() if array is not None}))


def test_a_type_without_functions() -> None:
    arrays = make_arrays(replace(Case(), radial=[], angular=ANGULAR[:2]))
    arrays["angular_start"] = torch.tensor([0, 0, 4])
    with pytest.raises(RuntimeError, match="1 to 16384 functions of type 0, got 0"):
        make_evaluator(StoredModel("bp", arrays))
