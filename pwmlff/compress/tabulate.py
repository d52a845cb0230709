"""Turns the embedding nets of a Deep Potential into tables.

Each net is a function of one scalar. In an interval of width h, with t = x - x_l, D = (y_{l+1} - y_l) / h and exact
derivatives of the net at both nodes, the features are Hermite's polynomials

    cubic     y_l + y'_l t + (3 D - 2 y'_l - y'_{l+1}) t^2 / h + (y'_l + y'_{l+1} - 2 D) t^3 / h^2
    quintic   y_l + y'_l t + y''_l / 2 t^2 + c_3 t^3 + c_4 t^4 + c_5 t^5, which also meets both second derivatives

(deepmd-kit: Lu et al., J. Chem. Theory Comput. 2022, 18, 5559, tabulate with the quintic ones).

Letters: `T` types, `L` intervals, `M` features.
"""

from __future__ import annotations

import copy
import math
from typing import Literal, get_args

import torch
from torch import Tensor

from pwmlff.errors import ModelFileError
from pwmlff.models import Potential
from pwmlff.models.dp.compressed import CompressedDeepPotential, CompressedDPConfig, TableConfig, TableGrid
from pwmlff.models.dp.network import DeepPotential, DeepPotentialBase
from pwmlff.models.networks import EmbeddingNet
from pwmlff.ops.reference import residual_net

Order = Literal[3, 5]
OUTER_RANGE = 10  # the outer intervals reach to this many times the largest s seen
_OUTER_WIDTH = 10  # times dx


def tabulate(potential: Potential, dx: float, order: Order, shortest: Tensor | None = None) -> Potential:
    """Return a copy of a potential whose embedding nets are tables.

    Args:
        potential: A Deep Potential, plain or with type embedding; it is not changed.
        dx: Width of an inner interval, in units of the net's standardised input.
        order: 3 or 5.
        shortest: [T] shortest distance an atom of each type will have, Å; that of the training data when not given.

    Raises:
        ModelFileError: The model has no embedding nets, or order or dx make no sense.
    """
    network = potential.network
    if isinstance(network, CompressedDeepPotential):
        raise ModelFileError("the model is compressed already; compress the checkpoint that training wrote")
    if not isinstance(network, DeepPotentialBase):
        raise ModelFileError(f"a {type(network).__name__} has no embedding nets that could be compressed")
    if order not in get_args(Order):
        raise ModelFileError(f"order is {order}, expected 3 (cubic) or 5 (quintic)")
    if not (math.isfinite(dx) and dx > 0):
        raise ModelFileError(f"the grid spacing is {dx}, expected a positive number such as 0.01")
    by_pair = isinstance(network, DeepPotential)
    shortest = network.environment.shortest if shortest is None else shortest
    grids = _grids(network, dx, shortest, by_pair=by_pair)
    table = TableConfig(order=order, dx=dx, by_pair=by_pair, grids=tuple(grids))
    config = CompressedDPConfig(**dict(network.config), table=table)
    dtype = next(network.parameters()).dtype
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
        compressed = CompressedDeepPotential(config, network.n_types, dtype)
    compressed.environment.load_state_dict(network.environment.state_dict())
    compressed.environment.shortest.copy_(shortest)
    compressed.fitting.load_state_dict(network.fitting.state_dict())
    for (net, constants), grid, place in zip(network.embedding_nets(), grids, compressed.tables, strict=True):
        place.coefficients.copy_(_coefficients(net, constants, grid, dx, order))
    result = Potential(compressed, potential.elements)
    result.repulsion = copy.deepcopy(potential.repulsion)
    result.energy_shift.copy_(potential.energy_shift)
    return result.to(potential.energy_shift.device)


def _grids(network: DeepPotentialBase, dx: float, shortest: Tensor, *, by_pair: bool) -> list[TableGrid]:
    """Return the grid of each table: from s = 0 to the largest s seen, then to `OUTER_RANGE` times that."""
    environment = network.environment
    mean, scale = environment.mean, environment.scale[:, 0]
    u = ((shortest - environment.inner) / (environment.outer - environment.inner)).clamp(0.0, 1.0)
    largest = (1.0 + u * u * u * (u * (15.0 - 6.0 * u) - 10.0)) / shortest  # [T] s, 1/Å
    lower = (0.0 - mean) / scale
    seen, far = (largest - mean) / scale, (OUTER_RANGE * largest - mean) / scale

    def grid(low: float, high: float, end: float) -> TableGrid:
        inner = max(1, math.ceil((high - low) / dx))
        outer = max(0, math.ceil((end - low - inner * dx) / (_OUTER_WIDTH * dx)))
        return TableGrid(lower=low, inner=inner, outer=outer)

    if by_pair:
        by_center = [grid(*(float(x[t]) for x in (lower, seen, far))) for t in range(network.n_types)]
        return [found for found in by_center for _ in range(network.n_types)]
    return [grid(float(lower.min()), float(seen.max()), float(far.max()))] * network.n_types


def _coefficients(net: EmbeddingNet, constants: Tensor, grid: TableGrid, dx: float, order: Order) -> Tensor:
    """Return the polynomials [L, order + 1, M] of one net, computed in float64."""
    widths = torch.full((grid.inner + grid.outer,), dx, dtype=torch.float64)
    widths[grid.inner :] *= _OUTER_WIDTH
    counts = torch.arange(grid.inner + 1, dtype=torch.float64)
    coarse = torch.arange(1, grid.outer + 1, dtype=torch.float64)
    steps = torch.cat([counts, grid.inner + _OUTER_WIDTH * coarse])
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
