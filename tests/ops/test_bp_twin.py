"""The twin of Behler and Parrinello's networks: closed forms, plain loops over neighbours, derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from kernel_calls import Arrays, Pairs, random_pairs
from torch import Tensor

from pwmlff.elements import atomic_number_of
from pwmlff.models.bp.functions import SymmetryFunction
from pwmlff.models.bp.stored import function_arrays
from pwmlff.ops import library, reference
from pwmlff.ops.descriptors import describe
from pwmlff.ops.reference import bp
from pwmlff.ops.reference.cutoffs import CUTOFF_FUNCTIONS, WITHOUT_INNER_RADIUS, cutoff_function
from pwmlff.ops.reference.nets import ACTIVATIONS
from pwmlff.ops.symmetry_functions import symmetry_functions

ELEMENTS = ("H", "O", "Cu")
FUNCTIONS: list[dict[str, Any]] = [
    {"type": "G5", "central": "O", "neighbors": ["H", "O"], "cutoff": 4.5, "eta": 0.05, "lambda": 1, "zeta": 4},
    {"type": "G1", "cutoff": 5.0},
    {"type": "G2", "cutoff": 4.0, "neighbors": ["O"], "eta": 0.5, "r_s": 1.2},
    {"type": "G2", "cutoff": 5.0, "weights": "Z", "eta": 0.01},
    {"type": "G3", "cutoff": 4.5, "central": "H", "neighbors": ["Cu"], "kappa": 1.7},
    {"type": "piece", "neighbors": ["Cu"], "centers": [2.5], "half_widths": [1.1], "factor": 3.0},
    {"type": "piece", "central": "O", "centers": [0.4], "half_widths": [3.1]},
    {"type": "G4", "cutoff": 5.0, "weights": "Z", "eta": 0.02, "lambda": -1, "zeta": 1.5},
    {
        "type": "G4",
        "cutoff": 5.0,
        "neighbors": ["O", "O"],
        "eta": 0.02,
        "r_s": 1.0,
        "lambda": 1,
        "zeta": 1,
        "factor": 2,
    },
    {"type": "G5", "cutoff": 5.0, "eta": 0.02, "lambda": 0.5, "zeta": 16},
    {"type": "triple", "neighbors": ["H", "Cu"], "centers": [2.0, 3.0, 2.5], "half_widths": [1.5, 2.0, 2.0]},
    {"type": "triple", "neighbors": ["O", "O"], "centers": [1.5, 3.0, 3.5], "half_widths": [2.5, 1.5, 3.0]},
]


def function_of(values: dict[str, Any]) -> SymmetryFunction:
    return SymmetryFunction.model_validate(values)


def make_arrays(functions: list[dict[str, Any]], cutoff_name: str = "cos", inner: float = 0.0) -> Arrays:
    return {
        **function_arrays([function_of(values) for values in functions], ELEMENTS, torch.float64),
        "cutoff_function": torch.tensor(CUTOFF_FUNCTIONS.index(cutoff_name)),
        "inner_fraction": torch.tensor(inner, dtype=torch.float64),
    }


def with_nets(arrays: Arrays, activations: tuple[str, ...] = ("tanh", "gaussian")) -> Arrays:
    generator = torch.Generator().manual_seed(7)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    widths = (arrays["radial_start"].diff() + arrays["angular_start"].diff()).tolist()
    arrays = {
        **arrays,
        "scaling": torch.stack([random(sum(widths)), 0.3 * random(sum(widths))], dim=1),
        "activations": torch.tensor([ACTIVATIONS.index(name) for name in (*activations, "linear")]),
        "double_geometry": torch.tensor(1),
    }
    for central, n_in in enumerate(widths):
        sizes = [n_in, *(3 + central + layer for layer in range(len(activations))), 1]
        for layer, (n_from, n_to) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            arrays[f"net.{central}.{layer}.weight"] = 0.5 * random(n_to, n_from)
            arrays[f"net.{central}.{layer}.bias"] = random(n_to)
    return arrays


def make_pairs(n_atoms: int = 7, per_atom: int = 8, longest: float = 5.5) -> Pairs:
    """Atoms with pairs of all lengths up to beyond the cutoffs, one atom without any."""
    counts = [0 if atom == 2 else per_atom for atom in range(n_atoms)]
    vectors, start, types, _ = random_pairs(
        len(ELEMENTS), n_atoms, per_atom, shortest=1.0, longest=longest, counts=counts
    )
    return vectors, start, types, torch.arange(n_atoms) % len(ELEMENTS)


def values_of(arrays: Arrays, *pairs: Tensor) -> Tensor:
    """Return all functions in one row."""
    return torch.cat([values.flatten() for _, values in bp.symmetry_functions(arrays, *pairs)])


def of_cluster(function: dict[str, Any], others: list[tuple[str, list[float]]], central: str = "O") -> float:
    """Return one function of an atom with these neighbours, by element and vector."""
    arrays = make_arrays([function, {"type": "G1", "cutoff": 1.0}])
    vectors = torch.tensor([vector for _, vector in others], dtype=torch.float64).view(-1, 3)
    types = torch.tensor([ELEMENTS.index(element) for element, _ in others], dtype=torch.int64)
    start, atom_types = torch.tensor([0, len(others)]), torch.tensor([ELEMENTS.index(central)])
    own = bp.symmetry_functions(arrays, vectors, start, types, atom_types)[ELEMENTS.index(central)]
    return float(own.values[0, 1 if function_of(function).is_radial is False else 0])


# closed forms

R, S = 2.0, 3.0  # Å
F_R, F_S, F_RS = (0.5 * (1 + math.cos(math.pi * r / 6)) for r in (R, S, math.sqrt(R * R + S * S)))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ({"type": "G1"}, F_R),
        ({"type": "G2", "eta": 0.7, "r_s": 1.5}, math.exp(-0.7 * 0.25) * F_R),
        ({"type": "G2", "eta": 0.7, "weights": "Z"}, 29 * math.exp(-2.8) * F_R),
        ({"type": "G2", "eta": 0.7, "neighbors": ["H"]}, 0.0),
        ({"type": "G2", "eta": 0.0, "neighbors": ["Cu"], "factor": 2.5}, 2.5 * F_R),
        ({"type": "G3", "kappa": 1.3}, math.cos(2.6) * F_R),
    ],
)
def test_dimer(function: dict[str, Any], expected: float) -> None:
    assert of_cluster({**function, "cutoff": 6.0}, [("Cu", [0, R, 0])]) == pytest.approx(expected, rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(("distance", "expected"), [(2.0, 0.75), (1.5, 1.0), (2.5, 0.25), (3.0, 0.0), (0.1, 0.0)])
def test_piece_of_a_dimer(distance: float, expected: float) -> None:
    piece = {"type": "piece", "centers": [1.5], "half_widths": [1.5]}
    if distance < 1.0:
        expected = 0.5 * (1 + math.cos(math.pi * (distance - 1.5) / 1.5))
    assert of_cluster(piece, [("H", [0, 0, distance])]) == pytest.approx(expected, abs=1e-14)


RIGHT_ANGLE = [("Cu", [R, 0.0, 0.0]), ("H", [0.0, S, 0.0])]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("zeta", [1, 4, 2.5])
def test_trimer(sign: int, zeta: float) -> None:
    """With a right angle the cosine is 0."""
    parameters = {"cutoff": 6.0, "eta": 0.04, "r_s": 0.5, "lambda": sign, "zeta": zeta}
    near = math.exp(-0.04 * ((R - 0.5) ** 2 + (S - 0.5) ** 2)) * F_R * F_S
    whole = near * math.exp(-0.04 * (math.sqrt(13) - 0.5) ** 2) * F_RS
    for weights, factor in (("one", 1.0), ("Z", 29.0)):
        g4, g5 = ({"type": name, **parameters, "weights": weights} for name in ("G4", "G5"))
        assert of_cluster(g5, RIGHT_ANGLE) == pytest.approx(2 ** (1 - zeta) * factor * near, rel=1e-14)
        assert of_cluster(g4, RIGHT_ANGLE) == pytest.approx(2 ** (1 - zeta) * factor * whole, rel=1e-14)
    for elements in (["Cu", "H"], ["H", "Cu"]):
        assert of_cluster({"type": "G5", **parameters, "neighbors": elements}, RIGHT_ANGLE) > 0
    assert of_cluster({"type": "G5", **parameters, "neighbors": ["H", "H"]}, RIGHT_ANGLE) == 0


@pytest.mark.parametrize(("sign", "expected"), [(1, 0.0), (-1, 2.0)])
def test_straight_trimer(sign: int, expected: float) -> None:
    """2^(1 - zeta) (1 - lambda)^zeta, also for an exponent that no other program could raise 2 to."""
    line = [("H", [R, 0.0, 0.0]), ("H", [-S, 0.0, 0.0])]
    function = {"type": "G5", "cutoff": 6.0, "eta": 0.0, "lambda": sign}
    for zeta in (1, 2**19):
        assert of_cluster({**function, "zeta": zeta}, line) == pytest.approx(expected * F_R * F_S, abs=1e-14)


def test_triple_is_of_ordered_neighbors() -> None:
    """The first piece belongs to the first element; with one element both orders count, as in PWMLFF."""
    triple = {"type": "triple", "centers": [R, S, math.sqrt(13)], "half_widths": [0.5, 0.5, 1.0]}
    assert of_cluster({**triple, "neighbors": ["Cu", "H"]}, RIGHT_ANGLE) == pytest.approx(1.0)
    assert of_cluster({**triple, "neighbors": ["H", "Cu"]}, RIGHT_ANGLE) == 0.0
    same = [("H", vector) for _, vector in RIGHT_ANGLE]
    assert of_cluster({**triple, "neighbors": ["H", "H"]}, same) == pytest.approx(1.0)
    wide = {"type": "triple", "neighbors": ["H", "H"], "centers": [2.5, 2.5, 3.0], "half_widths": [1.0, 1.0, 1.0]}
    piece = 0.5 * (1 + math.cos(0.5 * math.pi))
    between = 0.5 * (1 + math.cos(math.pi * (math.sqrt(13) - 3.0)))
    assert of_cluster(wide, same) == pytest.approx(2 * piece * piece * between)


# loops


def piece(distance: float, center: float, half_width: float) -> float:
    x = (distance - center) / half_width
    return 0.5 * (1 + math.cos(math.pi * x)) if abs(x) < 1 else 0.0


def loop_value(function: SymmetryFunction, near: list[tuple[str, np.ndarray]], cutoff_name: str, inner: float) -> float:
    """Evaluate a function of one atom neighbour by neighbour."""

    def f_c(*distances: float) -> float:
        values = cutoff_function(cutoff_name, torch.tensor(distances, dtype=torch.float64), function.reach, inner)
        return float(values.prod())

    def weight(*elements: str) -> float:
        if function.neighbors is None:
            return math.prod(atomic_number_of(e) if function.weights == "Z" else 1.0 for e in elements)
        wanted = [function.neighbors, function.neighbors[::-1]]
        return float(elements in (wanted[:1] if function.type == "triple" else wanted))

    eta, r_s = function.eta or 0.0, function.r_s or 0.0
    total = 0.0
    for place, (e_j, v_j) in enumerate(near):
        r = float(np.linalg.norm(v_j))
        if function.type == "piece":
            assert function.centers is not None
            assert function.half_widths is not None
            total += weight(e_j) * piece(r, function.centers[0], function.half_widths[0])
        elif function.is_radial:
            shape = {"G1": 1.0, "G2": math.exp(-eta * (r - r_s) ** 2), "G3": math.cos((function.kappa or 0.0) * r)}
            total += weight(e_j) * shape[function.type] * f_c(r)
        for other, (e_k, v_k) in enumerate(near):
            if function.is_radial or other == place:
                continue
            sides = [r, float(np.linalg.norm(v_k)), float(np.linalg.norm(v_j - v_k))]
            if function.type == "triple":
                pieces = zip(sides, function.centers or (), function.half_widths or (), strict=True)
                total += weight(e_j, e_k) * math.prod(piece(*each) for each in pieces)
            elif place < other:
                if function.type == "G5":
                    sides = sides[:2]
                cosine = float(v_j @ v_k) / (sides[0] * sides[1])
                sign, zeta = function.parameter("lambda"), function.parameter("zeta")
                shape_5 = 2 ** (1 - zeta) * (1 + sign * cosine) ** zeta
                total += weight(e_j, e_k) * shape_5 * math.exp(-eta * sum((s - r_s) ** 2 for s in sides)) * f_c(*sides)
    return function.factor * total


def loop_functions(pairs: Pairs, cutoff_name: str = "cos", inner: float = 0.0) -> list[list[float]]:
    """Return the functions of each atom, radial ones first."""
    vectors, start, pair_types, atom_types = (tensor.numpy() for tensor in pairs)
    functions = sorted(map(function_of, FUNCTIONS), key=lambda function: not function.is_radial)
    rows = []
    for atom, central in enumerate(atom_types):
        places = range(start[atom], start[atom + 1])
        near = [(ELEMENTS[pair_types[place]], vectors[place]) for place in places]
        own = [function for function in functions if function.central in (None, ELEMENTS[central])]
        rows.append([loop_value(function, near, cutoff_name, inner) for function in own])
    return rows


@pytest.mark.parametrize("cutoff_name", CUTOFF_FUNCTIONS)
def test_functions_equal_loops(cutoff_name: str) -> None:
    pairs, inner = make_pairs(), 0.0 if cutoff_name in WITHOUT_INNER_RADIUS else 0.3
    expected = loop_functions(pairs, cutoff_name, inner)
    for atoms, values in bp.symmetry_functions(make_arrays(FUNCTIONS, cutoff_name, inner), *pairs):
        for atom, row in zip(atoms.tolist(), values, strict=True):
            wanted = torch.tensor(expected[atom], dtype=torch.float64)
            torch.testing.assert_close(row, wanted, rtol=1e-12, atol=1e-12)


def test_energies_equal_loops() -> None:
    arrays, pairs = with_nets(make_arrays(FUNCTIONS)), make_pairs()
    expected = []
    starts = [0, *np.cumsum((arrays["radial_start"].diff() + arrays["angular_start"].diff()).numpy())]
    for row, central in zip(loop_functions(pairs), pairs[3].tolist(), strict=True):
        shift, factor = arrays["scaling"][starts[central] : starts[central + 1]].numpy().T
        x = (np.array(row) - shift) * factor
        for layer, phi in enumerate((np.tanh, lambda z: np.exp(-z * z / 2), lambda z: z)):
            weight, bias = (arrays[f"net.{central}.{layer}.{name}"].numpy() for name in ("weight", "bias"))
            x = phi(np.array([sum(w * v for w, v in zip(line, x, strict=True)) for line in weight]) + bias)
        expected.append(float(x[0]))
    energies = bp.atomic_energies(arrays, *pairs, torch.zeros(2, dtype=torch.int64))
    torch.testing.assert_close(energies, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("linear", lambda z: z),
        ("tanh", math.tanh),
        ("sigmoid", lambda z: 1 / (1 + math.exp(-z))),
        ("softplus", lambda z: math.log(1 + math.exp(z))),
        ("relu", lambda z: max(0.0, z)),
        ("gaussian", lambda z: math.exp(-z * z / 2)),
        ("cos", math.cos),
        ("revlogistic", lambda z: 1 / (1 + math.exp(z))),
        ("exp", lambda z: math.exp(-z)),
        ("harmonic", lambda z: z * z),
    ],
)
def test_activations(name: str, function: Any) -> None:
    z = torch.linspace(-30, 30, 13, dtype=torch.float64).unsqueeze(1)
    one = (torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
    values = reference.plain_net(z, [one], [ACTIVATIONS.index(name)])
    expected = torch.tensor([[function(float(x))] for x in z], dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=1e-13, atol=1e-13)


# derivatives


def test_derivatives_by_vectors() -> None:
    vectors, *others = make_pairs(4, 5)
    vectors.requires_grad_(True)
    arrays = make_arrays(FUNCTIONS)
    assert torch.autograd.gradcheck(lambda v: values_of(arrays, v, *others), vectors)
    assert torch.autograd.gradgradcheck(lambda v: values_of(arrays, v, *others), vectors)


def test_derivatives_of_pair_gradients_by_weights() -> None:
    vectors, *others = make_pairs(4, 5)
    arrays = with_nets(make_arrays(FUNCTIONS))
    names = [name for name in arrays if name.startswith("net.")]
    weights = [arrays[name].requires_grad_(True) for name in names]
    vectors.requires_grad_(True)

    def gradients(*values: Tensor) -> Tensor:
        own = {**arrays, **dict(zip(names, values, strict=True))}
        energies = bp.atomic_energies(own, vectors, *others, torch.zeros(2, dtype=torch.int64))
        (by_vectors,) = torch.autograd.grad(energies.sum(), vectors, create_graph=True)
        return by_vectors

    assert torch.autograd.gradcheck(gradients, weights)


def test_precision_of_geometry() -> None:
    arrays, pairs = with_nets(make_arrays(FUNCTIONS)), make_pairs()
    exact = bp.atomic_energies(arrays, *pairs, torch.zeros(2, dtype=torch.int64))
    single = {k: v.float() if k.split("_")[-1] == "weights" or "net." in k else v for k, v in arrays.items()}
    single["scaling"] = arrays["scaling"].float()
    errors = []
    for is_double in (1, 0):
        energies = bp.atomic_energies(
            {**single, "double_geometry": torch.tensor(is_double)}, *pairs, torch.zeros(2, dtype=torch.int64)
        )
        errors.append(float((energies - exact).abs().max()))
    assert 0 < errors[0] < 2e-5
    assert errors[0] < 1e-4
    assert 0 < errors[1] < 1e-3


def test_no_atoms_and_no_pairs() -> None:
    arrays = with_nets(make_arrays(FUNCTIONS))
    nothing, none = torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    for n_atoms in (0, 2):
        pairs = (nothing, none.new_zeros(n_atoms + 1), none, none.new_zeros(n_atoms))
        energies, gradients = reference.evaluate("bp", arrays, *pairs, torch.zeros(2, dtype=torch.int64))
        assert energies.shape == (n_atoms,)
        assert gradients.shape == (0, 3)


# values by the kernels

needs_library = pytest.mark.skipif(not library.load(), reason="the native library is not built")


@needs_library
@pytest.mark.parametrize("cutoff_name", CUTOFF_FUNCTIONS)
def test_values_by_the_kernels_are_those_of_the_twin(cutoff_name: str) -> None:
    arrays = make_arrays(FUNCTIONS, cutoff_name, 0.0 if cutoff_name in WITHOUT_INNER_RADIUS else 0.3)
    pairs = make_pairs(longest=4.9)
    pairs = (*pairs[:3], pairs[3].clamp(min=1))  # of the first type is no atom
    for own, expected in zip(symmetry_functions(arrays, *pairs), bp.symmetry_functions(arrays, *pairs), strict=True):
        assert own.atoms.equal(expected.atoms)
        assert own.values.dtype == torch.float64
        torch.testing.assert_close(own.values, expected.values, rtol=1e-12, atol=1e-12)


@needs_library
def test_descriptors_of_float32_models_by_the_kernels() -> None:
    arrays, pairs = with_nets(make_arrays(FUNCTIONS)), make_pairs()
    for name in ("radial_weights", "angular_weights", "scaling"):
        arrays[name] = arrays[name].float()
    torch.testing.assert_close(
        describe("bp", arrays, *pairs), bp.descriptors(arrays, *pairs).double(), rtol=1e-6, atol=1e-6
    )
