"""Cutoff functions: smooth steps from 1 at an atom to 0 at the cutoff, as n2p2 numbers them.

With u = r / r_c, and x = (u - a) / (1 - a) where they begin to fall only at a r_c:

    hard       1
    cos        [cos(pi x) + 1] / 2
    tanhu      tanh^3(1 - u)
    tanh       tanh^3(1 - u) / tanh^3(1)
    exp        exp(1 - 1 / (1 - x^2))
    poly1 ..4  polynomials whose first 1 to 4 derivatives vanish at both ends

They are 1 below a r_c, and 0 from r_c on. The polynomials are 1 - I_x(n, n) with n = 2 to 5, regularised incomplete
beta functions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

CUTOFF_FUNCTIONS = ("hard", "cos", "tanhu", "tanh", "exp", "poly1", "poly2", "poly3", "poly4")
WITHOUT_INNER_RADIUS = ("hard", "tanhu", "tanh")
# those whose second derivative is continuous at the cutoff
FLAT_AT_CUTOFF = ("tanhu", "tanh", "exp", "poly2", "poly3", "poly4")

# of 1 - x^n (c_0 + c_1 x + ..)
_POLYNOMIALS = {
    "poly1": (3.0, -2.0),
    "poly2": (10.0, -15.0, 6.0),
    "poly3": (35.0, -84.0, 70.0, -20.0),
    "poly4": (126.0, -420.0, 540.0, -315.0, 70.0),
}


def cutoff_function(name: str, distances: Tensor, cutoff: float, inner_fraction: float = 0.0) -> Tensor:
    """Return f_c of distances, of any shape.

    Args:
        name: One of `CUTOFF_FUNCTIONS`.
        distances: Å.
        cutoff: r_c, Å.
        inner_fraction: a, from 0 to below 1; without meaning for `WITHOUT_INNER_RADIUS`.
    """
    u = distances / cutoff
    if name in WITHOUT_INNER_RADIUS:
        is_inside = ~(u >= 1.0)  # what is not a number stays to be seen
        inside = torch.where(is_inside, u, 0.0)
        return torch.where(is_inside, _steps(name, inside), 0.0)
    x = (u - inner_fraction) / (1.0 - inner_fraction)
    is_falling, is_inside = ~(x <= 0.0), ~(x >= 1.0)
    inside = torch.where(is_falling & is_inside, x, 0.5)
    return torch.where(is_inside, torch.where(is_falling, _falls(name, inside), 1.0), 0.0)


def _steps(name: str, u: Tensor) -> Tensor:
    if name == "hard":
        return torch.ones_like(u)
    value = torch.tanh(1.0 - u) ** 3
    return value / math.tanh(1.0) ** 3 if name == "tanh" else value


def _falls(name: str, x: Tensor) -> Tensor:
    if name == "cos":
        return 0.5 * torch.cos(math.pi * x) + 0.5
    if name == "exp":
        return torch.exp(1.0 - 1.0 / (1.0 - x * x))
    coefficients = _POLYNOMIALS[name]
    sums = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        sums = sums * x + coefficient
    return 1.0 - sums * x ** len(coefficients)
