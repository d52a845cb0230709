"""Turns the embedding nets of a Deep Potential into tables.

Each net is a function of one scalar. In an interval of width h, with t = x - x_l, D = (y_{l+1} - y_l) / h and exact
derivatives of the net at both nodes, the features are Hermite's polynomials

    cubic     y_l + y'_l t + (3 D - 2 y'_l - y'_{l+1}) t^2 / h + (y'_l + y'_{l+1} - 2 D) t^3 / h^2
    quintic   y_l + y'_l t + y''_l / 2 t^2 + c_3 t^3 + c_4 t^4 + c_5 t^5, which also meets both second derivatives

(deepmd-kit: Lu et al., J. Chem. Theory Comput. 2022, 18, 5559, tabulate with the quintic ones).

Letters: `T` types, `L` intervals, `M` features.
"""

from __future__ import annotations

import math
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from pwmlff import memory
from pwmlff.errors import ModelFileError
from pwmlff.models.base import network_dtype
from pwmlff.models.dp.base import DeepPotentialBase
from pwmlff.models.dp.compressed import CompressedDeepPotential, CompressedDPConfig, TableConfig, TableGrid
from pwmlff.models.networks import EmbeddingNet
from pwmlff.models.tables import Order
from pwmlff.ops.reference import quintic_switch, residual_net

MARGIN = 0.1  # the fine intervals reach to distances shorter by this part than any seen
COARSE_RANGE = 10  # the coarse intervals reach to this many times the largest s seen
_COARSE_WIDTH = 10  # times dx
_WORKING_COPIES = 4  # of one table in float64, while it is computed


class NetTabulation:
    """Embedding nets that tables can replace; see `models.tables.Tabulation`.

    Args:
        network: A Deep Potential; it is not changed.
        nets: Its embedding nets with the constants they see.
        is_per_pair: Whether there is a net per (central, neighbour) type, otherwise per neighbour type.
    """

    def __init__(self, network: DeepPotentialBase, nets: list[tuple[EmbeddingNet, Tensor]], is_per_pair: bool) -> None:
        self._network = network
        self._nets = nets
        self._is_per_pair = is_per_pair

    @property
    def shortest(self) -> Tensor:
        """[T] Å."""
        return self._network.environment.shortest

    @property
    def n_neighbors(self) -> float:
        """Mean over the training data."""
        return float(self._network.environment.n_neighbors)

    def tabulated(self, dx: float, order: Order, shortest: Tensor | None = None) -> CompressedDeepPotential:
        """See `models.tables.Tabulation`."""
        network = self._network
        if order not in get_args(Order):
            raise ModelFileError(f"order is {order}, expected 3 (cubic) or 5 (quintic)")
        if not (math.isfinite(dx) and dx > 0):
            raise ModelFileError(f"the grid spacing is {dx}, expected a positive number such as 0.01")
        shortest = self.shortest if shortest is None else shortest
        self._check_memory(dx, order, shortest)
        grids = _grids(network, dx, shortest, is_per_pair=self._is_per_pair)
        table = TableConfig(order=order, dx=dx, by_pair=self._is_per_pair, grids=tuple(grids))
        config = CompressedDPConfig(**dict(network.config), table=table)
        with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
            compressed = CompressedDeepPotential(config, network.n_types, network_dtype(network))
        compressed.environment.load_state_dict(network.environment.state_dict())
        compressed.environment.shortest.copy_(shortest)
        compressed.fitting.load_state_dict(network.fitting.state_dict())
        for (net, constants), grid, place in zip(self._nets, grids, compressed.tables, strict=True):
            place.coefficients.copy_(_coefficients(net, constants, grid, dx, order))
        return compressed

    def _check_memory(self, dx: float, order: Order, shortest: Tensor) -> None:
        """Make sure, before anything is made, that the tables can be held and computed."""
        network = self._network
        n_features = [net.widths[-1] for net, _ in self._nets]
        n_intervals = [span.n_intervals(dx) for span in _spans(network, shortest, is_per_pair=self._is_per_pair)]
        numbers = [n * (order + 1) * m for n, m in zip(n_intervals, n_features, strict=True)]
        size = sum(numbers) * network_dtype(network).itemsize
        needed = 2 * size + _WORKING_COPIES * max(numbers) * torch.float64.itemsize  # with the copy of the kernels
        available = memory.available()
        if needed > available:
            raise ModelFileError(
                f"tables with a grid spacing of {dx:g} take {memory.gigabytes(size)}, and "
                f"{memory.gigabytes(needed)} while they are made; {memory.gigabytes(available)} of memory are free; "
                f"take a larger spacing, such as -d 0.001 ({memory.gigabytes(size * dx / 0.001)}) or -d auto"
            )


class _Span(NamedTuple):
    """What one table covers, in units of the net's standardised input: fine to `near`, coarse to `far`."""

    lower: float
    near: float
    far: float

    def n_intervals(self, dx: float) -> float:
        """Return how many intervals that takes, about; too many to be made is no error here."""
        return max(1.0, (self.near - self.lower) / dx) + (self.far - self.near) / (_COARSE_WIDTH * dx)

    def grid(self, dx: float) -> TableGrid:
        """Return the intervals."""
        fine = max(1, math.ceil((self.near - self.lower) / dx))
        coarse = max(0, math.ceil((self.far - self.lower - fine * dx) / (_COARSE_WIDTH * dx)))
        return TableGrid(lower=self.lower, fine=fine, coarse=coarse)


def _grids(network: DeepPotentialBase, dx: float, shortest: Tensor, *, is_per_pair: bool) -> list[TableGrid]:
    """Return the grid of each table."""
    return [span.grid(dx) for span in _spans(network, shortest, is_per_pair=is_per_pair)]


def _spans(network: DeepPotentialBase, shortest: Tensor, *, is_per_pair: bool) -> list[_Span]:
    """Return what each table covers: from s = 0 to beyond the largest s seen, then to `COARSE_RANGE` times that."""
    environment = network.environment
    mean, scale = environment.mean, environment.scale[:, 0]

    def s_at(distances: Tensor) -> Tensor:  # [T] 1/Å
        return quintic_switch(distances, environment.inner, environment.outer) / distances

    lower = (0.0 - mean) / scale
    near, far = (s_at((1.0 - MARGIN) * shortest) - mean) / scale, (COARSE_RANGE * s_at(shortest) - mean) / scale
    if is_per_pair:
        by_center = [_Span(*(float(x[t]) for x in (lower, near, far))) for t in range(network.n_types)]
        return [same for same in by_center for _ in range(network.n_types)]
    return [_Span(float(lower.min()), float(near.max()), float(far.max()))] * network.n_types


def _coefficients(net: EmbeddingNet, constants: Tensor, grid: TableGrid, dx: float, order: Order) -> Tensor:
    """Return the polynomials [L, order + 1, M] of one net, computed in float64."""
    widths = torch.full((grid.fine + grid.coarse,), dx, dtype=torch.float64)
    widths[grid.fine :] *= _COARSE_WIDTH
    counts = torch.arange(grid.fine + 1, dtype=torch.float64)
    coarse = torch.arange(1, grid.coarse + 1, dtype=torch.float64)
    steps = torch.cat([counts, grid.fine + _COARSE_WIDTH * coarse])
    nodes = grid.lower + dx * steps  # [L + 1]
    parameters = net.flat_parameters(constants).detach().to("cpu", torch.float64)
    values, first, second = _derivatives(nodes, parameters, net)
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


def _derivatives(x: Tensor, parameters: Tensor, net: EmbeddingNet) -> list[Tensor]:
    """Return value, first and second derivative [n, M] of a net at inputs [n]."""

    def features(inputs: Tensor) -> Tensor:
        return residual_net(inputs.unsqueeze(-1), parameters, net.widths, net.activation)

    def slope(inputs: Tensor) -> Tensor:
        return torch.func.jvp(features, (inputs,), (torch.ones_like(inputs),))[1]

    def curvature(inputs: Tensor) -> Tensor:
        return torch.func.jvp(slope, (inputs,), (torch.ones_like(inputs),))[1]

    with torch.no_grad():
        return [function(x) for function in (features, slope, curvature)]
