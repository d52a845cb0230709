"""Rotation invariants of NEP against the addition theorem, Wigner's 3j symbols, and GPUMD's printed constants."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre, sph_harm_y
from torch import Tensor

from pwmlff.ops.reference.invariants import EXTRAS, direction_functions, invariants

L_MAX = 8
NAMES = [extra.name for extra in EXTRAS]


def neighbourhood(count: int = 7, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Unit vectors [n, 3] and weights g [2, n]."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    weights = torch.randn(2, count, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(directions), weights


def of_sums(directions: Tensor, weights: Tensor) -> Tensor:
    return invariants(weights @ direction_functions(directions, L_MAX), L_MAX, [1] * len(EXTRAS))


def wigner_3j(j: tuple[int, ...], m: tuple[int, ...]) -> float:
    """Return a 3j symbol by Racah's formula."""
    (j1, j2, j3), (m1, m2, m3) = j, m
    if m1 + m2 + m3 != 0 or not abs(j1 - j2) <= j3 <= j1 + j2:
        return 0.0
    f = math.factorial
    triangle = f(j1 + j2 - j3) * f(j1 - j2 + j3) * f(-j1 + j2 + j3) / f(j1 + j2 + j3 + 1)
    factors = f(j1 + m1) * f(j1 - m1) * f(j2 + m2) * f(j2 - m2) * f(j3 + m3) * f(j3 - m3)
    total = 0.0
    for t in range(j1 + j2 + j3 + 1):
        of_t = (t, j3 - j2 + t + m1, j3 - j1 + t - m2, j1 + j2 - j3 - t, j1 - t - m1, j2 - t + m2)
        if min(of_t) >= 0:
            total += (-1) ** t / math.prod(f(n) for n in of_t)
    return (-1) ** (j1 - j2 - m3) * math.sqrt(triangle * factors) * total


def test_those_of_two_follow_the_addition_theorem() -> None:
    directions, weights = neighbourhood()
    cosines = (directions @ directions.T).numpy()  # each neighbour with itself included
    values = of_sums(directions, weights)
    for degree in range(1, L_MAX + 1):
        legendre = torch.from_numpy(eval_legendre(degree, cosines))
        expected = (2 * degree + 1) / (4 * math.pi) * torch.einsum("nj,nk,jk->n", weights, weights, legendre)
        torch.testing.assert_close(values[:, degree - 1], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in NAMES if len(name) == 3])
def test_those_of_three_are_coupled_by_3j_symbols(name: str) -> None:
    directions, weights = neighbourhood()
    x, y, z = directions.numpy().T
    polar, azimuth = np.arccos(z), np.arctan2(y, x)
    degrees = tuple(int(digit) for digit in name)
    expected = np.zeros(len(weights), dtype=complex)
    for orders in product(*(range(-degree, degree + 1) for degree in degrees)):
        term = wigner_3j(degrees, orders) * np.ones(len(weights), dtype=complex)
        for degree, order in zip(degrees, orders, strict=True):
            term = term * (weights.numpy() @ sph_harm_y(degree, order, polar, azimuth))
        expected += term
    assert np.abs(expected.imag).max() < 1e-14
    values = of_sums(directions, weights)[:, L_MAX + NAMES.index(name)]
    np.testing.assert_allclose(values, expected.real, rtol=1e-12, atol=1e-14)


def test_1111_is_proportional_to_a_square() -> None:
    values = of_sums(*neighbourhood())
    torch.testing.assert_close(values[:, L_MAX + NAMES.index("1111")], 7 / 15 * values[:, 0] ** 2)


@pytest.mark.parametrize("place", range(L_MAX + len(EXTRAS)), ids=[*(f"l{n + 1}" for n in range(L_MAX)), *NAMES])
def test_rotation(place: int) -> None:
    directions, weights = neighbourhood()
    rotation = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))[0]
    before, after = (of_sums(vectors, weights)[:, place] for vectors in (directions, directions @ rotation))
    assert (before.abs() > 1e-4).all()
    torch.testing.assert_close(after, before, rtol=1e-11, atol=0.0)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("222", [-0.007499480826664, -0.134990654879954, 0.067495327439977, 0.404971964639861, -0.809943929279723]),
        ("1111", [0.026596810706114, 0.053193621412227]),
        ("112", [0.027493550848847, 0.164961305093080, -0.013746775424423, 0.041240326273270, 0.082480652546540]),
        (
            "123",
            [-0.008418146349617, -0.016836292699234, 0.033672585398469, -0.042090731748086, -0.067345170796937]
            + [-0.084181463496172, -0.168362926992344],
        ),
        (
            "233",
            [0.008572620635186, 0.009644198214584, 0.019288396429168, 0.025717861905558, -0.026789439484956]
            + [0.032147327381947, 0.038576792858337, -0.128589309527790, 0.192883964291685, 0.321473273819474],
        ),
        (
            "134",
            [-0.003645164295772, 0.004860219061029, 0.006075273826286, 0.018225821478859, 0.024301095305146]
            + [0.036451642957719, 0.042526916784005, 0.072903285915437, 0.085053833568010, 0.255161500704030],
        ),
    ],
)
def test_printed_constants_of_extras(name: str, printed: list[float]) -> None:
    extra = EXTRAS[NAMES.index(name)]
    ours = np.array([extra.unit * coefficient for coefficient in extra.terms])
    for value in printed:
        assert np.abs(ours - value).min() < 2e-15
    assert {round(abs(value), 15) for value in ours} == {round(abs(value), 15) for value in printed}


def test_printed_constants_of_two() -> None:
    """The weight of each square, from sums with one non-zero entry."""
    printed = {(1, 0): 0.238732414637843, (1, 1): 0.119366207318922, (2, 0): 0.099471839432435}
    printed |= {(4, 2): 0.111905819361489, (5, 3): 0.119677056817148, (6, 5): 2.800443129521260}
    printed |= {(7, 1): 0.004079899664221, (8, 0): 0.000082569397966, (8, 8): 0.265667037956816}
    for (degree, order), value in printed.items():
        sums = torch.zeros(L_MAX * (L_MAX + 2), dtype=torch.float64)
        sums[degree * degree - 1 + 2 * order - (order > 0)] = 1.0
        of_one = invariants(sums, L_MAX, [0] * len(EXTRAS))
        assert float(of_one[degree - 1]) == pytest.approx(value * (1 if order == 0 else 2), abs=2e-15)
        assert of_one.count_nonzero() == 1


@pytest.mark.parametrize("l_max", range(L_MAX + 1))
def test_fewer_are_the_first_of_more(l_max: int) -> None:
    directions, weights = neighbourhood()
    extras = [int(extra.l_max <= l_max) for extra in EXTRAS]
    values = invariants(weights @ direction_functions(directions, l_max), l_max, extras)
    chosen = [*range(l_max), *(L_MAX + place for place, is_on in enumerate(extras) if is_on)]
    torch.testing.assert_close(values, of_sums(directions, weights)[:, chosen])
