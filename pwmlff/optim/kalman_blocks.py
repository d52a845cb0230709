"""Weights as one vector, and its split into the blocks that have a covariance each.

The filter neglects correlations between blocks: P is block-diagonal (RLEKF, Hu et al., AAAI 2023). Small tensors that
follow each other are gathered into one block, large ones are split.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pwmlff.models.evaluation import trained_weights, write_gradient


def split_blocks(sizes: Sequence[int], block_size: int) -> list[tuple[int, int]]:
    """Return first and last + 1 weight of each block.

    Args:
        sizes: Length of each parameter tensor, in the order they are registered.
        block_size: Longest block. Tensors are gathered as long as they fit into one block; a tensor that fills a
            block or more stands alone, in chunks of this length and a rest.
    """
    bounds = [0]
    position = 0
    for size in sizes:
        gathered = position - bounds[-1]
        if gathered > 0 and gathered + size > block_size:
            bounds.append(position)
        position += size
        if size >= block_size:
            bounds += range(bounds[-1] + block_size, position, block_size)
            bounds.append(position)
    if position > bounds[-1]:
        bounds.append(position)
    return list(zip(bounds[:-1], bounds[1:], strict=True))


class WeightVector:
    """The trained parameters of a module as one float64 vector [n]."""

    def __init__(self, module: nn.Module) -> None:
        """Take all parameters that require a gradient, in the order they are registered."""
        self.parameters = trained_weights(module)
        self.sizes = [p.numel() for p in self.parameters]

    def __len__(self) -> int:
        """Number of weights n."""
        return sum(self.sizes)

    def read(self) -> Tensor:
        """Return a copy of the weights, [n]."""
        return torch.cat([p.detach().reshape(-1).to(torch.float64) for p in self.parameters])

    def write(self, vector: Tensor) -> None:
        """Replace the weights, [n]."""
        with torch.no_grad():
            for parameter, part in zip(self.parameters, vector.split(self.sizes), strict=True):
                parameter.copy_(part.view_as(parameter))

    def write_gradients(self, values: Sequence[Tensor], rows: Tensor, *, keeps_graph: bool = False) -> None:
        """Write the gradient of each of k scalars into a row of [k, n] float64.

        The common graph of the scalars is used up unless it is to be kept.
        """
        for number, (value, row) in enumerate(zip(values, rows, strict=True)):
            write_gradient(value, self.parameters, row, keeps_graph=keeps_graph or number + 1 < len(values))
