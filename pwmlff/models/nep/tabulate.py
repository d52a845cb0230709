"""Turns the radial functions g_n of a NEP into tables, with the polynomials of `models/tables.py`.

These are linear in the function, so each f_k is tabulated once for each cutoff, and the coefficients of a pair of types
make its g_n of them. All are smooth down to r = 0, and so the tables begin there.

Letters: `T` types, `L` intervals, `k` Chebyshev functions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pwmlff.models.base import network_dtype
from pwmlff.models.nep.base import NEPBase
from pwmlff.models.nep.compressed import CompressedNEP, CompressedNEPConfig, FunctionTableConfig
from pwmlff.models.tables import Order, check_grid, check_memory, hermite_polynomials
from pwmlff.ops.reference.nep import chebyshev_functions, pair_cutoffs

_SPACING = 0.05  # Å, unless another is asked for
_KERNEL_COPIES = 2.6  # with that of the kernels, which may have to fill vectors of eight functions
_WORKING_COPIES = 4  # of one table in float64, while it is computed


class FunctionTabulation:
    """Radial functions that tables can replace; see `models.base.Tabulation`.

    Args:
        network: A NEP; it is not changed.
        neighbors: Most neighbours of an atom in the training data within the radial cutoff; 0 where that is not known.
    """

    shortest = None  # tables are for all distances
    spacing = _SPACING

    def __init__(self, network: NEPBase, neighbors: int) -> None:
        self._network = network
        self.n_neighbors = float(neighbors)

    def tabulated(self, dx: float, order: Order, shortest: Tensor | None = None) -> CompressedNEP:
        """See `models.base.Tabulation`."""
        del shortest
        check_grid(dx, order)
        network, arrays = self._network, self._network.arrays()
        cutoffs = pair_cutoffs(arrays["cutoff"])  # [T, T, 2]
        longest = cutoffs.flatten(0, 1).amax(0).tolist()
        numbers = [
            cutoff / dx * (order + 1) * arrays[name].shape[2]
            for cutoff, name in zip(longest, ("radial", "angular"), strict=True)
            for _ in range(len(network.cutoffs) ** 2)
        ]
        check_memory(numbers, network_dtype(network), dx, copies=_KERNEL_COPIES, working=_WORKING_COPIES)
        intervals = tuple(max(1, math.ceil(cutoff / dx * (1 - 1e-12))) for cutoff in longest)
        table = FunctionTableConfig(order=order, dx=dx, intervals=intervals)
        config = CompressedNEPConfig(**dict(network.config), table=table)
        compressed = CompressedNEP(config, len(network.cutoffs), network_dtype(network))
        with torch.no_grad():
            compressed.net.copy_(arrays["net"])
            compressed.scaler.copy_(network.scaler)
            places = compressed.radial_table, compressed.angular_table
            for kind, (name, place) in enumerate(zip(("radial", "angular"), places, strict=True)):
                _fill(place, cutoffs[..., kind], arrays[name].to("cpu", torch.float64), order)
        return compressed


def _fill(tables: Tensor, cutoffs: Tensor, coefficients: Tensor, order: Order) -> None:
    """Compute tables [T, T, L, order + 1, n] from cutoffs [T, T] and coefficients [T, T, n, k], in float64."""
    n_intervals = tables.shape[2]
    for cutoff in cutoffs.unique():
        nodes = cutoff * torch.linspace(0, 1, n_intervals + 1, dtype=torch.float64)

        def basis(distances: Tensor, cutoff: Tensor = cutoff) -> Tensor:
            return chebyshev_functions(distances, cutoff.expand(len(distances)), coefficients.shape[3])

        of_basis = hermite_polynomials(basis, nodes, (cutoff / n_intervals).expand(n_intervals), order)
        for central, neighbor in (cutoffs == cutoff).nonzero().tolist():
            tables[central, neighbor].copy_(of_basis @ coefficients[central, neighbor].T)
