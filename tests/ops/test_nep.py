"""A stored NEP on the native kernels, against its twin and against differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import kernel_calls
import pytest
import torch
from kernel_calls import Arrays, Pairs, assert_close, random_pairs
from torch import Tensor

from pwmlff.ops import StoredModel, library, make_evaluator
from pwmlff.ops.reference.invariants import EXTRAS

pytestmark = pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")


# of energies and gradients, relative to the largest, by dtype and double_geometry
TOLERANCE = {("float64", 1): 1e-12, ("float32", 1): 1e-5, ("float32", 0): 2e-5}


@dataclass(frozen=True)
class Sizes:
    """Of a NEP whose coefficients are random."""

    n_types: int = 3
    radial: tuple[int, int] = (5, 7)  # functions, basis functions
    angular: tuple[int, int] = (3, 6)
    l_max: int = 4
    extras: tuple[int, ...] = (1,) * 6
    neurons: int = 10


def make_arrays(sizes: Sizes) -> Arrays:
    """Cutoffs of 4.0 to 5.5 Å for radial and of 3.5 to 4.5 Å for angular functions, differing between types."""
    generator = torch.Generator().manual_seed(4)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    n, width = sizes.n_types, sizes.radial[0] + sizes.angular[0] * (sizes.l_max + sum(sizes.extras))
    cutoffs = torch.tensor([[5.0, 4.0], [5.5, 3.5], [4.5, 4.5]], dtype=torch.float64)
    return {
        "cutoff": cutoffs[torch.arange(n) % 3].clone(),
        "l_max": torch.tensor(sizes.l_max),
        "extras": torch.tensor(sizes.extras),
        "radial": random(n, n, *sizes.radial),
        "angular": random(n, n, *sizes.angular),
        "net": 0.5 * random(n, sizes.neurons * (width + 2) + 1),
        "scaler": 0.1 + 0.1 * random(width).abs(),
        "double_geometry": torch.tensor(1),
    }


def by_tables(arrays: Arrays, terms: int, intervals: tuple[int, int] = (11, 7)) -> Arrays:
    """Return the model with tables of random polynomials, which jump between intervals, for coefficients."""
    generator = torch.Generator().manual_seed(6)
    result = dict(arrays)
    for name, count in zip(("radial", "angular"), intervals, strict=True):
        n_types, _, n_functions, _ = result.pop(name).shape
        shape = (n_types, n_types, count, terms, n_functions)
        result[f"{name}.table"] = torch.randn(shape, generator=generator, dtype=torch.float64)
    return result


def make_pairs(n_types: int, n_atoms: int = 40, most: int = 24, longest: float = 6.0) -> Pairs:
    """Atoms with 0 to `most` pairs of all lengths up to beyond the cutoffs."""
    return random_pairs(n_types, n_atoms, most, shortest=0.8, longest=longest, counts=[most, 0])


def in_precision(arrays: Arrays, dtype: str, double_geometry: int) -> Arrays:
    """Return the same model with all Real arrays of another precision."""
    exact = ("cutoff", "l_max", "extras", "double_geometry")
    lower = {name: array.to(getattr(torch, dtype)) for name, array in arrays.items() if name not in exact}
    return {**arrays, **lower, "double_geometry": torch.tensor(double_geometry)}


by_twin, by_kernels = partial(kernel_calls.by_twin, "nep"), partial(kernel_calls.by_kernels, "nep")


@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize("l_max", range(9))
def test_equals_twin(l_max: int, dtype: str, double_geometry: int) -> None:
    extras = tuple(int(extra.l_max <= l_max) for extra in EXTRAS)
    arrays, pairs = make_arrays(Sizes(l_max=l_max, extras=extras)), make_pairs(3)
    expected = by_twin(arrays, pairs)
    assert expected[1].abs().max() > 1e-2
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, expected, TOLERANCE[dtype, double_geometry])


@pytest.mark.parametrize("terms", [4, 6])
@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(),
        Sizes(n_types=11),
        Sizes(radial=(1, 1), angular=(1, 1)),
        Sizes(radial=(8, 1), angular=(8, 1)),
        Sizes(radial=(17, 1), angular=(13, 1)),
        Sizes(l_max=0, extras=(0,) * 6),
    ],
    ids=lambda sizes: f"{sizes.n_types}-{sizes.radial[0]}-{sizes.angular[0]}-{sizes.l_max}",
)
def test_tables(sizes: Sizes, dtype: str, double_geometry: int, terms: int) -> None:
    arrays, pairs = by_tables(make_arrays(sizes), terms), make_pairs(sizes.n_types)
    expected = by_twin(arrays, pairs)
    assert expected[1].abs().max() > 1e-2
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, expected, TOLERANCE[dtype, double_geometry])


@pytest.mark.parametrize("terms", [4, 6])
def test_tables_end_at_the_cutoffs(terms: int) -> None:
    """The angular cutoff is the longer one, so that radial tables see pairs beyond their own."""
    arrays = by_tables(make_arrays(Sizes(n_types=1)), terms)
    arrays["cutoff"][:] = torch.tensor([4.0, 5.0])
    model = make_evaluator(StoredModel("nep", arrays))
    for distance in (0.01, 0.3, 4.0 - 1e-9, 4.0 + 1e-9, 5.0 - 1e-9, 5.0, 6.0):
        assert_close(model(*line([2.5, distance])), by_twin(arrays, line([2.5, distance])))
    for count in (1, 2, 3, 19):  # pairs are taken by two, and by vectors
        pairs = line([0.1 + 0.2 * k for k in range(count)])
        assert_close(model(*pairs), by_twin(arrays, pairs))


@pytest.mark.parametrize("place", range(6))
def test_each_extra_alone(place: int) -> None:
    arrays = make_arrays(Sizes(extras=tuple(int(place == other) for other in range(6))))
    assert_close(by_kernels(arrays, make_pairs(3)), by_twin(arrays, make_pairs(3)))


@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(n_types=1, extras=(0,) * 6),
        Sizes(n_types=11),  # more than are counted in a register
        Sizes(radial=(1, 1), angular=(1, 1)),
        Sizes(radial=(8, 2), angular=(8, 2)),  # whole vectors
        Sizes(radial=(17, 20), angular=(13, 17), neurons=33),  # several vectors
        Sizes(l_max=0, extras=(0,) * 6),
        Sizes(neurons=1),
    ],
    ids=lambda sizes: f"{sizes.n_types}-{sizes.radial}-{sizes.angular}-{sizes.l_max}",
)
@pytest.mark.parametrize(("dtype", "double_geometry"), TOLERANCE)
def test_sizes(sizes: Sizes, dtype: str, double_geometry: int) -> None:
    arrays, pairs = make_arrays(sizes), make_pairs(sizes.n_types)
    actual = by_kernels(in_precision(arrays, dtype, double_geometry), pairs)
    assert_close(actual, by_twin(arrays, pairs), TOLERANCE[dtype, double_geometry])


def test_many_neighbors() -> None:
    """More than a register counts."""
    arrays, pairs = make_arrays(Sizes()), make_pairs(3, n_atoms=3, most=700)
    assert pairs[1][1] == 700
    assert_close(by_kernels(arrays, pairs), by_twin(arrays, pairs))


def test_more_atoms_than_a_chunk() -> None:
    arrays, pairs = make_arrays(Sizes(n_types=1)), make_pairs(1, n_atoms=150)
    assert_close(by_kernels(arrays, pairs), by_twin(arrays, pairs))


def test_gradients_are_differences() -> None:
    arrays, (vectors, *rest) = make_arrays(Sizes()), make_pairs(3, n_atoms=6, most=8)
    model, step = make_evaluator(StoredModel("nep", arrays)), 1e-5
    gradients = model(vectors, *rest)[1]
    for place in range(vectors.numel()):
        energies = []
        for sign in (1, -1):
            moved = vectors.clone()
            moved.view(-1)[place] += sign * step
            energies.append(float(model(moved, *rest)[0].sum()))
        assert (energies[0] - energies[1]) / (2 * step) == pytest.approx(float(gradients.view(-1)[place]), abs=1e-7)


def test_pairs_at_and_beyond_the_cutoff() -> None:
    """Energy and gradient go to zero at the cutoff, and no pair is nearer by mistake."""
    arrays = make_arrays(Sizes(n_types=1))
    arrays["cutoff"][:] = torch.tensor([5.0, 4.0])
    model = make_evaluator(StoredModel("nep", arrays))
    alone = model(*line([2.5]))[0]
    for distance in (5.0, 5.0 + 1e-12, 6.0, 1e3):
        energies, gradients = model(*line([2.5, distance]))
        assert torch.equal(energies, alone)
        assert not gradients[1].any()
    for distance in (5.0 - 1e-6, 4.0 + 1e-6, 4.0, 4.0 - 1e-6):
        assert_close(model(*line([2.5, distance])), by_twin(arrays, line([2.5, distance])))
    assert 0 < (model(*line([2.5, 5.0 - 1e-3]))[0] - alone).abs() < 1e-6


def line(distances: list[float]) -> Pairs:
    """One atom with neighbours of its own type in a skew direction."""
    direction = torch.tensor([0.6, -0.64, 0.48], dtype=torch.float64)
    vectors = torch.tensor(distances, dtype=torch.float64).unsqueeze(1) * direction
    none = torch.zeros(1, dtype=torch.int64)
    return vectors, torch.tensor([0, len(distances)]), none.expand(len(distances)), none


def test_an_angular_cutoff_beyond_the_radial_one() -> None:
    arrays = make_arrays(Sizes())
    arrays["cutoff"] = arrays["cutoff"].flip(1).contiguous()
    assert_close(by_kernels(arrays, make_pairs(3)), by_twin(arrays, make_pairs(3)))


def test_what_every_family_may_have() -> None:
    kernel_calls.assert_what_every_family_may_have("nep", make_arrays(Sizes()), make_pairs(3), 3)


def test_threads_agree() -> None:
    kernel_calls.assert_threads_agree("nep", make_arrays(Sizes()), make_pairs(3, n_atoms=200))


def test_no_pairs_and_no_atoms() -> None:
    kernel_calls.assert_nothing_is_nothing("nep", make_arrays(Sizes()))


@pytest.mark.parametrize("terms", [0, 4, 6])
@pytest.mark.parametrize("sizes", [Sizes(), Sizes(n_types=1, l_max=0, extras=(0,) * 6)], ids=["angles", "no angles"])
@pytest.mark.parametrize("place", [0, 5, -1])
def test_not_a_number_stays_visible_and_leaves_no_trace(place: int, sizes: Sizes, terms: int) -> None:
    arrays = make_arrays(sizes)
    arrays = by_tables(arrays, terms) if terms else arrays
    kernel_calls.assert_not_a_number_is_seen_and_leaves_no_trace("nep", arrays, make_pairs(sizes.n_types), place)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("net", None, "lacks the array 'net'"),
        ("net", torch.zeros(3, 7, dtype=torch.float64), "1 to 16384 neurons, got 0"),
        ("net", torch.zeros(3, 352, dtype=torch.float64), r"H \(D \+ 2\) \+ 1 numbers for D = 35 descriptors, got 352"),
        ("net", torch.zeros(2, 371, dtype=torch.float64), r"'net' .* is float64 \[2, 371\], expected float64 \[3, n\]"),
        ("net", torch.zeros(3, 371, dtype=torch.int64), "float64 or float32, got int64"),
        ("cutoff", torch.zeros(3, 2, dtype=torch.float64), "cutoffs above 0"),
        ("cutoff", torch.full((3, 2), torch.nan, dtype=torch.float64), "cutoffs above 0"),
        ("cutoff", torch.zeros(0, 2, dtype=torch.float64), "a type or more"),
        ("l_max", torch.tensor(9), "0 to 8 as l_max, got 9"),
        ("l_max", torch.tensor(3), "l_max of 4 or more for the invariant 134, got 3"),
        ("extras", torch.tensor([1, 1]), "6 extras of 0 or 1"),
        ("extras", torch.tensor([1, 1, 2, 1, 1, 1]), "6 extras of 0 or 1"),
        ("radial", torch.zeros(3, 3, 5, 7), "'radial' .* is float32"),
        ("radial", torch.zeros(3, 3, 5, 65, dtype=torch.float64), "1 to 64 radial basis functions, got 65"),
        ("angular", torch.zeros(3, 2, 3, 6, dtype=torch.float64), "'angular' .* expected"),
        ("angular", torch.zeros(3, 3, 0, 6, dtype=torch.float64), "1 to 64 angular functions, got 0"),
        ("scaler", torch.zeros(34, dtype=torch.float64), "'scaler' .* expected"),
        ("double_geometry", torch.tensor(2), "'double_geometry' to be 0 or 1, got 2"),
    ],
)
def test_arrays_that_do_not_fit(name: str, value: Tensor | None, message: str) -> None:
    arrays = {**make_arrays(Sizes()), name: value}
    with pytest.raises(RuntimeError, match=message):
        make_evaluator(StoredModel("nep", {name: array for name, array in arrays.items() if array is not None}))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("angular.table", None, "lacks the array 'angular.table'"),
        ("radial.table", torch.zeros(3, 3, 11, 5, 5, dtype=torch.float64), "radial tables of 4 or 6 terms, got"),
        ("angular.table", torch.zeros(3, 3, 7, 6, 3, dtype=torch.float64), "tables of one order, got"),
        (
            "radial.table",
            torch.zeros(3, 3, 0, 4, 5, dtype=torch.float64),
            "1 to 16777216 intervals of the radial tables",
        ),
        ("angular.table", torch.zeros(3, 3, 7, 4, 65, dtype=torch.float64), "1 to 64 angular functions, got 65"),
        ("radial.table", torch.zeros(3, 3, 11, 4, 5), "'radial.table' .* is float32"),
        ("angular.table", torch.zeros(3, 2, 7, 4, 3, dtype=torch.float64), "'angular.table' .* expected"),
        ("scaler", torch.zeros(34, dtype=torch.float64), "'scaler' .* expected"),
    ],
)
def test_tables_that_do_not_fit(name: str, value: Tensor | None, message: str) -> None:
    arrays = {**by_tables(make_arrays(Sizes()), 4), name: value}
    with pytest.raises(RuntimeError, match=message):
        make_evaluator(StoredModel("nep", {name: array for name, array in arrays.items() if array is not None}))
