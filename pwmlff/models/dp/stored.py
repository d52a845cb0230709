"""The arrays in which the kernels take a Deep Potential, family `dp`; `csrc/core/dp` evaluates them.

    switch                float64 [2]              Å, where the switch begins and where it ends
    mean, scale           float64 [T], [T, 4]      of s and of the environment rows, 1/Å
    n_neighbors           float64 []               divides the sums
    n_axis                int64 []                 M2
    double_geometry       int64 []                 1: distances and sums are float64, 0: of the nets' dtype
    fitting               [T, Q]                   parameters of the fitting nets, see `reference.fitting_net`
    fitting.widths        int64 [layers]           hidden layers
    fitting.activation    int64 []                 index in `ACTIVATIONS`

and either nets, by (central, neighbour) type or by neighbour type,

    embedding             [K, P]                   parameters, see `reference.embedding_contraction`
    embedding.widths      int64 [layers]
    embedding.activation  int64 []

or tables

    tables                [intervals, order + 1, M]  of all tables one after another
    tables.grids          float64 [K, 3]             lower end, fine and coarse intervals of each
    tables.dx             float64 []                 width of a fine interval
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pwmlff.ops import StoredModel

if TYPE_CHECKING:
    from pwmlff.models.dp.base import DeepPotentialBase
    from pwmlff.models.networks import EmbeddingNet

FAMILY = "dp"


def stored_nets(
    network: DeepPotentialBase, nets: list[tuple[EmbeddingNet, Tensor]], geometry: torch.dtype
) -> StoredModel:
    """Return a network with embedding nets, each with the constants it sees.

    Args:
        network: Gives everything else.
        nets: By (central, neighbour) type or by neighbour type.
        geometry: float64, or float32 for geometry and sums in the precision of float32 nets.
    """
    first = nets[0][0]
    return _stored(
        network,
        geometry,
        {
            "embedding": torch.stack([net.flat_parameters(constants) for net, constants in nets]),
            "embedding.widths": torch.tensor(first.widths),
            "embedding.activation": torch.tensor(first.activation),
        },
    )


def stored_tables(
    network: DeepPotentialBase, coefficients: Tensor, grids: list[list[float]], dx: float, geometry: torch.dtype
) -> StoredModel:
    """Return a network with tables.

    Args:
        network: Gives everything else.
        coefficients: [intervals, order + 1, M] of all tables.
        grids: Lower end, number of fine and of coarse intervals of each table.
        dx: Width of a fine interval.
        geometry: As in `stored_nets`.
    """
    arrays = {
        "tables": coefficients,
        "tables.grids": torch.tensor(grids, dtype=torch.float64),
        "tables.dx": torch.tensor(dx, dtype=torch.float64),
    }
    return _stored(network, geometry, arrays)


def _stored(network: DeepPotentialBase, geometry: torch.dtype, features: dict[str, Tensor]) -> StoredModel:
    environment, fitting = network.environment, network.fitting
    arrays = {
        "switch": torch.tensor([environment.inner, environment.outer], dtype=torch.float64),
        "mean": environment.mean,
        "scale": environment.scale,
        "n_neighbors": environment.n_neighbors,
        "n_axis": torch.tensor(network.n_axis),
        "fitting": torch.stack([net.flat_parameters() for net in fitting]),
        "fitting.widths": torch.tensor(list(fitting[0].widths)),
        "fitting.activation": torch.tensor(fitting[0].activation),
        **features,
    }
    return StoredModel.from_arrays(FAMILY, arrays, geometry)
