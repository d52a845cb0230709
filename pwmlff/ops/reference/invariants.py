"""Functions of a direction and their rotation invariants, as NEP has them (Fan et al., JCP 157, 114801, 2022).

A unit vector (x, y, z) has the functions

    b_l0 = p_l0(z),    b_lm = p_lm(z) Re (x + iy)^m and p_lm(z) Im (x + iy)^m    m = 1..l

in this order, l = 1, 2, ..., L. The polynomial p_lm is the m-th derivative of the Legendre polynomial P_l up to a
factor, with the smallest integers as coefficients. Sums over neighbours, s_lm = sum_j g(r_ij) b_lm(r_ij / r), make

    q_l = sum_m C_lm s_lm^2 = (2l + 1) / 4 pi  sum_jk g(r_ij) g(r_ik) P_l(cos theta_jik)

with C_lm by the addition theorem, and further invariants named by the l of their factors: with a_lm the same sums of
spherical harmonics Y_lm, those of three are  sum_m (l1 l2 l3; m1 m2 m3) a_l1m1 a_l2m2 a_l3m3  with Wigner's 3j symbol,
and 1111 is 7/15 q_1^2. The printed tables of GPUMD are these numbers, rounded to 15 decimals.

Letters: `L` largest l, `B` = L (L + 2) functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

_A3 = (4.0 * math.pi) ** -1.5  # of three spherical harmonics


class Invariant(NamedTuple):
    """An invariant of more than two sums: a polynomial of the s_lm.

    Attributes:
        name: The l of its factors.
        l_max: The largest of them.
        unit: Multiplies the polynomial.
        terms: Places of the factors among the functions, by their integer coefficient.
    """

    name: str
    l_max: int
    unit: float
    terms: Mapping[int, Sequence[tuple[int, ...]]]


# in the order of the descriptor
EXTRAS = (
    Invariant(
        "222",
        2,
        -math.sqrt(50 / 7) / 8 * _A3,
        {1: [(3, 3, 3)], 18: [(3, 4, 4), (3, 5, 5)], -9: [(3, 6, 6), (3, 7, 7)]}
        | {-54: [(5, 5, 6)], 54: [(4, 4, 6)], 108: [(4, 5, 7)]},
    ),
    Invariant(
        "1111",
        1,
        7 / 15 * (3 / (4 * math.pi)) ** 2,
        {1: [(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2)], 2: [(0, 0, 1, 1), (0, 0, 2, 2), (1, 1, 2, 2)]},
    ),
    Invariant(
        "112",
        2,
        math.sqrt(6) / 4 * _A3,
        {2: [(0, 0, 3)], 12: [(0, 1, 4), (0, 2, 5)], -1: [(1, 1, 3), (2, 2, 3)]}
        | {3: [(1, 1, 6)], -3: [(2, 2, 6)], 6: [(1, 2, 7)]},
    ),
    Invariant(
        "123",
        3,
        -3 / 8 * _A3,
        {20: [(2, 4, 12), (1, 4, 11), (1, 5, 12)], -20: [(2, 5, 11)], 10: [(0, 6, 11), (0, 7, 12)]}
        | {5: [(2, 6, 14), (1, 6, 13), (1, 7, 14)], -5: [(2, 7, 13)], 8: [(0, 5, 10), (0, 4, 9)]}
        | {2: [(2, 3, 10), (0, 3, 8), (1, 3, 9)], 1: [(2, 6, 10)], -1: [(1, 7, 10), (2, 7, 9), (1, 6, 9)]}
        | {-4: [(2, 5, 8), (1, 4, 8)]},
    ),
    Invariant(
        "233",
        3,
        math.sqrt(28 / 3) / 64 * _A3,
        {8: [(3, 8, 8)], 9: [(3, 9, 9), (3, 10, 10)], 18: [(6, 9, 9)], -18: [(6, 10, 10)]}
        | {24: [(4, 8, 9), (5, 8, 10)], -25: [(3, 13, 13), (3, 14, 14)]}
        | {-30: [(7, 9, 14), (6, 9, 13), (6, 10, 14)], 30: [(7, 10, 13)], 36: [(7, 9, 10)]}
        | {-120: [(6, 8, 11), (7, 8, 12)], 180: [(4, 9, 11), (5, 9, 12), (4, 10, 12)], -180: [(5, 10, 11)]}
        | {300: [(4, 12, 14), (5, 11, 14), (4, 11, 13)], -300: [(5, 12, 13)]},
    ),
    Invariant(
        "134",
        4,
        math.sqrt(12) / 64 * _A3,
        {-3: [(2, 10, 15), (1, 9, 15)], 4: [(0, 8, 15)], -5: [(1, 13, 18), (1, 14, 19), (2, 14, 18)]}
        | {5: [(2, 13, 19)], -15: [(2, 10, 18)], 15: [(1, 10, 19), (1, 9, 18), (2, 9, 19)]}
        | {20: [(1, 8, 16), (2, 8, 17)], 30: [(0, 10, 17), (0, 9, 16), (2, 11, 17)]}
        | {-30: [(1, 11, 16), (1, 12, 17), (2, 12, 16)], 35: [(1, 13, 22), (1, 14, 23), (2, 13, 23)]}
        | {-35: [(2, 14, 22)], 60: [(0, 11, 18), (0, 12, 19)], 70: [(0, 13, 20), (0, 14, 21)]}
        | {210: [(1, 11, 20), (1, 12, 21), (2, 11, 21)], -210: [(2, 12, 20)]},
    ),
)


class _Polynomial(NamedTuple):
    """One p_lm.

    Attributes:
        coefficients: From z^0 to z^l.
        weight: Of the square of each of its sums: C_lm.
    """

    coefficients: list[int]
    weight: float


@cache
def _polynomial(degree: int, order: int) -> _Polynomial:
    """Return p_lm by the formula of Rodrigues, `P_l = d^l/dz^l (z^2 - 1)^l / (2^l l!)`."""
    coefficients = [0] * (degree + 1)
    for k in range(degree + 1):
        power = 2 * k - degree - order
        if power >= 0:
            coefficients[power] = (-1) ** (degree - k) * math.comb(degree, k) * math.perm(2 * k, degree + order)
    common = math.gcd(*coefficients)
    scale = common / (2**degree * math.factorial(degree))
    ratio = math.factorial(degree - order) / math.factorial(degree + order)
    weight = (2 * degree + 1) / (4 * math.pi) * ratio * scale**2
    return _Polynomial([c // common for c in coefficients], weight if order == 0 else 2 * weight)


def direction_functions(directions: Tensor, l_max: int) -> Tensor:
    """Return the functions b_lm of unit vectors.

    Args:
        directions: [n, 3].
        l_max: L.

    Returns:
        [n, B].
    """
    x, y, z = directions.unbind(1)
    heights = [torch.ones_like(z)]  # z^k
    waves = [torch.ones_like(z)]  # (x + iy)^m: the real 1, then Re and Im
    real, imaginary = x, y
    for _ in range(l_max):
        heights.append(heights[-1] * z)
        waves += [real, imaginary]
        real, imaginary = real * x - imaginary * y, real * y + imaginary * x
    columns, places = [], []
    for degree in range(1, l_max + 1):
        for order in range(degree + 1):
            column = _polynomial(degree, order).coefficients + [0] * (l_max - degree)
            columns += [column] if order == 0 else [column, column]
            places += [0] if order == 0 else [2 * order - 1, 2 * order]
    polynomials = torch.tensor(columns, dtype=z.dtype, device=z.device).view(len(columns), l_max + 1)
    wanted = torch.tensor(places, dtype=torch.int64, device=z.device)
    return torch.stack(heights, dim=1).mm(polynomials.T) * torch.stack(waves, dim=1).index_select(1, wanted)


def invariants(sums: Tensor, l_max: int, extras: list[int]) -> Tensor:
    """Return the invariants of sums over neighbours: those of two for each l, then the `EXTRAS` that are on.

    Args:
        sums: [..., B] s_lm.
        l_max: L.
        extras: 1 where a row of `EXTRAS` is on, which needs L to be at least its own `l_max`.

    Returns:
        [..., L + number of those on].
    """
    weights = torch.zeros(sums.shape[-1], l_max, dtype=torch.float64)
    for degree in range(1, l_max + 1):
        row = degree * degree - 1
        for order in range(degree + 1):
            n_rows = 1 if order == 0 else 2
            weights[row : row + n_rows, degree - 1] = _polynomial(degree, order).weight
            row += n_rows
    parts = [sums.square() @ weights.to(sums)]
    for extra, is_on in zip(EXTRAS, extras, strict=True):
        if is_on:
            parts.append(_sum_of_products(sums, extra).unsqueeze(-1))
    return torch.cat(parts, dim=-1)


def _sum_of_products(sums: Tensor, invariant: Invariant) -> Tensor:
    """Return one invariant [...] of sums [..., B]."""
    factors = torch.tensor([term for terms in invariant.terms.values() for term in terms], device=sums.device)
    products = sums.index_select(-1, factors[:, 0])
    for column in factors[:, 1:].unbind(1):
        products = products * sums.index_select(-1, column)
    coefficients = [coefficient for coefficient, terms in invariant.terms.items() for _ in terms]
    return products @ torch.tensor(coefficients, dtype=sums.dtype, device=sums.device) * invariant.unit
