"""Tables in the place of functions of one number, as `pwmlff compress` makes them, and what a network says of them.

The function is a net of `s = switch(r) / r` of a pair (Deep Potential), or one of the distance itself (NEP). In an
interval of width h that begins at node x_l, with t = x - x_l, D = (y_{l+1} - y_l) / h and exact derivatives at both
nodes, a table holds Hermite's polynomials

    cubic     y_l + y'_l t + (3 D - 2 y'_l - y'_{l+1}) t^2 / h + (y'_l + y'_{l+1} - 2 D) t^3 / h^2
    quintic   y_l + y'_l t + y''_l / 2 t^2 + c_3 t^3 + c_4 t^4 + c_5 t^5, which also meets both second derivatives

(deepmd-kit: Lu et al., J. Chem. Theory Comput. 2022, 18, 5559, tabulate with the quintic ones).

Letters: `T` types, `L` intervals, `M` functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from pwmlff import memory
from pwmlff.errors import ModelFileError

Order = Literal[3, 5]

_FINEST_HINT = 0.001  # spacing that is named at least where a finer one takes too much memory


@dataclass(frozen=True)
class TableRange:
    """Reach of the tables of one central element.

    Attributes:
        ends: Where parts of the tables end, as `TableSummary.parts` says.
        size: Bytes of the tables of all its neighbours.
    """

    ends: tuple[float, ...]
    size: int


@dataclass(frozen=True)
class TableSummary:
    """The tables of a network.

    Attributes:
        per: What there is one table for, such as "neighbour type".
        n_tables: Number of tables.
        order: Degree of the polynomials.
        dx: Width of a fine interval; of a table without coarse ones, of an interval at most.
        size: Bytes of all tables.
        shortest: [T] shortest distances of the data they were made for, Å; empty of tables for all distances.
        parts: What ends where, with the unit.
        ranges: [T] reach by central element.
    """

    per: str
    n_tables: int
    order: int
    dx: float
    size: int
    shortest: list[float]
    parts: tuple[str, ...]
    ranges: list[TableRange]


def check_grid(dx: float, order: int) -> None:
    """Raise ModelFileError where order or spacing make no sense."""
    if order not in get_args(Order):
        raise ModelFileError(f"order is {order}, expected 3 (cubic) or 5 (quintic)")
    if not (math.isfinite(dx) and dx > 0):
        raise ModelFileError(f"the grid spacing is {dx}, expected a positive number such as 0.01")


def check_memory(numbers: Sequence[float], dtype: torch.dtype, dx: float, *, copies: float, working: float) -> None:
    """Make sure, before anything is made, that tables can be held and computed.

    Args:
        numbers: Of each table.
        dtype: Of these.
        dx: Their spacing.
        copies: How many there are at last, with that of the kernels.
        working: How many of one table there are in float64 while it is computed.

    Raises:
        ModelFileError: They cannot.
    """
    size = sum(numbers) * dtype.itemsize
    needed = copies * size + working * max(numbers) * torch.float64.itemsize
    available = memory.available()
    if needed > available:
        least = dx * needed / max(available, 1)
        hint = max(_FINEST_HINT, _rounded_up(least)) if math.isfinite(least) else _FINEST_HINT
        raise ModelFileError(
            f"tables with a grid spacing of {dx:g} take {memory.gigabytes(size)}, and "
            f"{memory.gigabytes(needed)} while they are made; {memory.gigabytes(available)} of memory are free; "
            f"take a larger spacing, such as -d {hint:g} ({memory.gigabytes(size * dx / hint)}) or -d auto"
        )


def _rounded_up(number: float) -> float:
    """Return the next number of one digit."""
    digit = 10.0 ** math.floor(math.log10(number))
    return math.ceil(number / digit) * digit


def hermite_polynomials(function: Callable[[Tensor], Tensor], nodes: Tensor, widths: Tensor, order: Order) -> Tensor:
    """Return the polynomials [L, order + 1, M] between nodes, lowest power first, computed in float64.

    Args:
        function: Maps [n] float64 to [n, M]; differentiated forward, twice.
        nodes: [L + 1] float64, ascending.
        widths: [L] of the intervals.
        order: Of the polynomials.
    """
    values, first, second = _derivatives(function, nodes)
    h = widths.unsqueeze(-1)
    secant = (values[1:] - values[:-1]) / h
    begin, end = first[:-1], first[1:]
    if order == 3:
        terms = [values[:-1], begin, (3 * secant - 2 * begin - end) / h, (begin + end - 2 * secant) / h**2]
    else:
        a, b = second[:-1], second[1:]
        terms = [
            values[:-1],
            begin,
            a / 2,
            (20 * secant - 8 * end - 12 * begin + (b - 3 * a) * h) / (2 * h**2),
            (-30 * secant + 14 * end + 16 * begin + (3 * a - 2 * b) * h) / (2 * h**3),
            (12 * secant - 6 * end - 6 * begin + (b - a) * h) / (2 * h**4),
        ]
    return torch.stack(terms, dim=1)


def _derivatives(function: Callable[[Tensor], Tensor], x: Tensor) -> list[Tensor]:
    """Return value, first and second derivative [n, M] of a function at inputs [n]."""

    def slope(inputs: Tensor) -> Tensor:
        return torch.func.jvp(function, (inputs,), (torch.ones_like(inputs),))[1]

    def curvature(inputs: Tensor) -> Tensor:
        return torch.func.jvp(slope, (inputs,), (torch.ones_like(inputs),))[1]

    with torch.no_grad():
        return [derivative(x) for derivative in (function, slope, curvature)]
