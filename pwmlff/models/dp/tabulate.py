"""Turns the embedding nets of a Deep Potential into tables.

Each net is a function of one scalar; the polynomials are those of `models/tables.py`.

Letters: `T` types, `L` intervals, `M` features.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from pwmlff.models.base import network_dtype
from pwmlff.models.dp.base import DeepPotentialBase
from pwmlff.models.dp.compressed import CompressedDeepPotential, CompressedDPConfig, TableConfig, TableGrid
from pwmlff.models.networks import EmbeddingNet
from pwmlff.models.tables import Order, check_grid, check_memory, hermite_polynomials
from pwmlff.ops.reference import quintic_switch, residual_net

_SPACING = 0.01  # unless another is asked for
MARGIN = 0.1  # the fine intervals reach to distances shorter by this part than any seen
COARSE_RANGE = 10  # the coarse intervals reach to this many times the largest s seen
_COARSE_WIDTH = 10  # times dx
_WORKING_COPIES = 4  # of one table in float64, while it is computed


class NetTabulation:
    """Embedding nets that tables can replace; see `models.base.Tabulation`.

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

    @property
    def spacing(self) -> float:
        """In units of the standardised s."""
        return _SPACING

    def tabulated(self, dx: float, order: Order, shortest: Tensor | None = None) -> CompressedDeepPotential:
        """See `models.base.Tabulation`."""
        network = self._network
        check_grid(dx, order)
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
        check_memory(numbers, network_dtype(network), dx, copies=2, working=_WORKING_COPIES)


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

    def features(inputs: Tensor) -> Tensor:
        return residual_net(inputs.unsqueeze(-1), parameters, net.widths, net.activation)

    return hermite_polynomials(features, nodes, widths, order)
