"""Cutoff functions: values that can be checked by hand, ends, and derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import betainc

from pwmlff.ops.reference.cutoffs import (
    CUTOFF_FUNCTIONS,
    FLAT_AT_CUTOFF,
    WITHOUT_INNER_RADIUS,
    cutoff_function,
)

CUTOFF = 5.0


def value(name: str, distance: float, inner: float = 0.0) -> float:
    return float(cutoff_function(name, torch.tensor(distance, dtype=torch.float64), CUTOFF, inner))


def derivatives(name: str, distance: float, inner: float = 0.0) -> list[float]:
    """Return value and the first two derivatives."""
    r = torch.tensor(distance, dtype=torch.float64, requires_grad=True)
    f = cutoff_function(name, r, CUTOFF, inner) + 0.0 * r**3
    (first,) = torch.autograd.grad(f, r, create_graph=True)
    (second,) = torch.autograd.grad(first, r)
    return [f.item(), first.item(), second.item()]


def test_numbers_are_those_of_n2p2() -> None:
    assert CUTOFF_FUNCTIONS == ("hard", "cos", "tanhu", "tanh", "exp", "poly1", "poly2", "poly3", "poly4")


@pytest.mark.parametrize("x", [0.1, 0.5, 0.83])
@pytest.mark.parametrize("inner", [0.0, 0.4])
def test_closed_forms(x: float, inner: float) -> None:
    distance, u = CUTOFF * (inner + x * (1 - inner)), inner + x * (1 - inner)
    expected = {
        "hard": 1.0,
        "cos": math.cos(math.pi * x / 2) ** 2,
        "tanhu": math.tanh(1 - u) ** 3,
        "tanh": (math.tanh(1 - u) / math.tanh(1)) ** 3,
        "exp": math.e * math.exp(-1 / (1 - x * x)),
        **{f"poly{n}": 1 - betainc(n + 1, n + 1, x) for n in range(1, 5)},
    }
    for name in CUTOFF_FUNCTIONS:
        assert value(name, distance, inner) == pytest.approx(expected[name], rel=0, abs=1e-14), name
    assert value("poly2", distance, inner) == pytest.approx(((15 - 6 * x) * x - 10) * x**3 + 1, abs=1e-14)


@pytest.mark.parametrize("name", CUTOFF_FUNCTIONS)
def test_ends(name: str) -> None:
    inner = 0.0 if name in WITHOUT_INNER_RADIUS else 0.5
    if inner > 0:
        assert derivatives(name, 2.4, inner) == [1.0, 0.0, 0.0]
    for distance in (CUTOFF, CUTOFF + 1e-9, 7.0):
        assert derivatives(name, distance, inner) == [0.0, 0.0, 0.0]
    if name == "hard":
        return
    f, first, second = derivatives(name, CUTOFF * (1 - 1e-6), inner)
    assert abs(f) < 1e-10
    assert abs(first) < 1e-4
    assert (abs(second) < 1e-3) == (name in FLAT_AT_CUTOFF)


@pytest.mark.parametrize("name", CUTOFF_FUNCTIONS[1:])
def test_derivatives(name: str) -> None:
    r = torch.linspace(0.3, 5.4, 40, dtype=torch.float64, requires_grad=True)
    inner = 0.0 if name in WITHOUT_INNER_RADIUS else 0.3
    assert torch.autograd.gradcheck(lambda r: cutoff_function(name, r, CUTOFF, inner), r)
    assert torch.autograd.gradgradcheck(lambda r: cutoff_function(name, r, CUTOFF, inner), r)


def test_what_is_no_number_stays_to_be_seen() -> None:
    assert all(math.isnan(value(name, math.nan)) for name in CUTOFF_FUNCTIONS if name != "hard")
