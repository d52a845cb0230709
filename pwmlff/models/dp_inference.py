"""The Deep Potential on the native kernel that does everything at once, see `csrc/core/dp.hpp`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple  # noqa: UP035 - TorchScript does not read `tuple[...]`

import torch
from torch import Tensor, nn

from pwmlff.ops import dp_evaluate

if TYPE_CHECKING:
    from pwmlff.descriptors.environment import EnvironmentMatrix
    from pwmlff.models.networks import EmbeddingNet, FittingNet


class NativeDeepPotential(nn.Module):
    """Atomic energies and pair gradients of a Deep Potential; its weights are constants.

    Args:
        environment: Switch and normalisation.
        embedding: Embedding nets with the constants they see; by (central, neighbour) type or by neighbour type.
        fitting: Fitting nets by central type.
        n_axis: M2.
    """

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        embedding: Tensor
        fitting: Tensor
        mean: Tensor
        scale: Tensor

    def __init__(
        self,
        environment: EnvironmentMatrix,
        embedding: list[tuple[EmbeddingNet, Tensor]],
        fitting: list[FittingNet],
        n_axis: int,
    ) -> None:
        super().__init__()
        with torch.no_grad():
            nets = torch.stack([net.flat_parameters(constants) for net, constants in embedding])
            self.register_buffer("embedding", nets)  # [nets, P]
            self.register_buffer("fitting", torch.stack([net.flat_parameters() for net in fitting]))  # [T, Q]
            self.register_buffer("mean", environment.mean.clone())  # [T]
            self.register_buffer("scale", environment.scale.clone())  # [T, 4]
        self.embedding_widths = list(embedding[0][0].widths)
        self.fitting_widths = list(fitting[0].widths)
        self.embedding_activation = embedding[0][0].activation
        self.fitting_activation = fitting[0].activation
        self.inner = float(environment.inner)
        self.outer = float(environment.outer)
        self.n_neighbors = float(environment.n_neighbors)
        self.n_axis = n_axis

    def forward(
        self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor
    ) -> Tuple[Tensor, Tensor]:  # noqa: UP006
        """Return atomic energies [N] and pair gradients [E, 3], float64; arguments as in `Network.forward`."""
        return dp_evaluate(
            pair_vectors,
            pair_start,
            pair_types,
            atom_types,
            self.embedding,
            self.fitting,
            self.embedding_widths,
            self.fitting_widths,
            self.embedding_activation,
            self.fitting_activation,
            self.mean,
            self.scale,
            self.inner,
            self.outer,
            self.n_neighbors,
            self.n_axis,
        )
