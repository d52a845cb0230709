"""The Deep Potential on the native kernel that does everything at once, see `csrc/core/dp.hpp`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Tuple  # noqa: UP035 - TorchScript does not read `tuple[...]`

import torch
from torch import Tensor, nn

from pwmlff.ops import DpModel, dp_evaluate

if TYPE_CHECKING:
    from pwmlff.models.dp.network import DeepPotentialBase
    from pwmlff.models.networks import EmbeddingNet


class NativeDeepPotential(nn.Module):
    """Atomic energies and pair gradients of a Deep Potential; its weights are constants.

    Args:
        network: Gives environment, fitting nets and the number of axis features.
        embedding: Nets or tables as in `DpModel`.
        widths: Layer widths of the embedding nets; of tables the number of features.
        activation: Of the embedding nets.
        grids: As in `DpModel`.
        dx: As in `DpModel`.
        geometry: float64, or float32 for geometry and sums in the precision of float32 nets.
    """

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        embedding: Tensor
        grids: Tensor
        fitting: Tensor
        mean: Tensor
        scale: Tensor
        table_overflows: Tensor

    def __init__(
        self,
        network: DeepPotentialBase,
        embedding: Tensor,
        *,
        widths: list[int],
        activation: int,
        grids: list[list[float]],
        dx: float,
        geometry: torch.dtype,
    ) -> None:
        super().__init__()
        environment, fitting = network.environment, network.fitting
        with torch.no_grad():
            self.register_buffer("embedding", embedding.detach().clone())
            self.register_buffer("grids", torch.tensor(grids, dtype=torch.float64).reshape(-1, 3))
            self.register_buffer("fitting", torch.stack([net.flat_parameters() for net in fitting]))  # [T, Q]
            self.register_buffer("mean", environment.mean.clone())  # [T]
            self.register_buffer("scale", environment.scale.clone())  # [T, 4]
            # counted while the model runs: pairs nearer than any seen in training, pairs beyond the tables
            self.register_buffer("table_overflows", torch.zeros(2, dtype=torch.int64))
        self.embedding_widths = widths
        self.fitting_widths = list(fitting[0].widths)
        self.embedding_activation = activation
        self.fitting_activation: int = fitting[0].activation
        self.inner = float(environment.inner)
        self.outer = float(environment.outer)
        self.n_neighbors = float(environment.n_neighbors)
        self.dx = dx
        self.n_axis = network.n_axis
        self.has_double_geometry = geometry == torch.float64

    @classmethod
    def of_nets(
        cls, network: DeepPotentialBase, nets: list[tuple[EmbeddingNet, Tensor]], geometry: torch.dtype
    ) -> NativeDeepPotential:
        """Build from embedding nets with the constants they see; by (central, neighbour) type or by neighbour type."""
        embedding = torch.stack([net.flat_parameters(constants) for net, constants in nets])
        first = nets[0][0]
        of_nets: dict[str, Any] = {"widths": list(first.widths), "activation": first.activation, "grids": [], "dx": 0.0}
        return cls(network, embedding, geometry=geometry, **of_nets)

    @classmethod
    def of_tables(
        cls,
        network: DeepPotentialBase,
        coefficients: Tensor,
        grids: list[list[float]],
        dx: float,
        geometry: torch.dtype,
    ) -> NativeDeepPotential:
        """Build from tables: coefficients [intervals, order + 1, M], and lower, inner, outer of each."""
        of_tables: dict[str, Any] = {"widths": [coefficients.shape[-1]], "activation": 0, "grids": grids, "dx": dx}
        return cls(network, coefficients, geometry=geometry, **of_tables)

    def forward(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        """Return atomic energies [N] and pair gradients [E, 3], float64; arguments as in `Network.forward`."""
        model = DpModel(
            embedding=self.embedding,
            grids=self.grids,
            fitting=self.fitting,
            mean=self.mean,
            scale=self.scale,
            overflows=self.table_overflows,
            embedding_widths=self.embedding_widths,
            fitting_widths=self.fitting_widths,
            embedding_activation=self.embedding_activation,
            fitting_activation=self.fitting_activation,
            inner=self.inner,
            outer=self.outer,
            n_neighbors=self.n_neighbors,
            dx=self.dx,
            n_axis=self.n_axis,
            has_double_geometry=self.has_double_geometry,
        )
        return dp_evaluate(pair_vectors, pair_start, pair_types, atom_types, model)
