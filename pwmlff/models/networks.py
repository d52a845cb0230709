"""Multilayer perceptrons with residual links, as Deep Potentials use them.

Hidden layer: `y = t * phi(W x + b)`; from the second layer on, one as wide as its input adds `x`, one twice as wide
adds `(x, x)` (Zhang et al., NeurIPS 2018). The scale t is trained when `resnet_dt` is set, otherwise it is 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pwmlff.ops import embedding_contraction
from pwmlff.ops.reference import fitting_net

ACTIVATIONS = ("tanh", "sigmoid")  # the index is what the native operations take


class Layer(nn.Module):
    """Weights of one hidden layer.

    Args:
        n_in: Width of the input.
        n_out: Width of the output.
        has_bias: Whether there is a bias.
        timestep: Mean of the initial scale t; None for a constant 1.
        dtype: Of the weights.
    """

    bias: Tensor
    scale: Tensor

    def __init__(self, n_in: int, n_out: int, *, has_bias: bool, timestep: float | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_out, n_in, dtype=dtype).normal_(0.0, 1.0 / math.sqrt(n_in + n_out)))
        bias, scale = torch.zeros(n_out, dtype=dtype), torch.ones(n_out, dtype=dtype)
        if has_bias:
            self.bias = nn.Parameter(bias.normal_())
        else:
            self.register_buffer("bias", bias, persistent=False)
        if timestep is not None:
            self.scale = nn.Parameter(scale.normal_(timestep, 0.001))
        else:
            self.register_buffer("scale", scale, persistent=False)


class LayerStack(nn.Module):
    """Hidden layers one after another.

    Args:
        n_in: Width of the input.
        widths: Width of each layer.
        has_bias: Whether layers have a bias.
        timestep: Mean of the initial scale t from the second layer on; None for a constant 1.
        activation: One of `ACTIVATIONS`.
        dtype: Of the weights.
    """

    layers: Any

    def __init__(
        self,
        n_in: int,
        widths: Sequence[int],
        *,
        has_bias: bool,
        timestep: float | None,
        activation: str,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        sizes = list(zip([n_in, *widths[:-1]], widths, strict=True))
        self.layers = nn.ModuleList(
            Layer(n_from, n_to, has_bias=has_bias, timestep=timestep if depth > 0 else None, dtype=dtype)
            for depth, (n_from, n_to) in enumerate(sizes)
        )
        self.widths = list(widths)
        self.activation = ACTIVATIONS.index(activation)

    def n_in_layers(self, n_in: int) -> int:
        """Return the length of the layers' flat form for so many inputs."""
        return sum(n_out * (n_from + 2) for n_from, n_out in zip([n_in, *self.widths], self.widths, strict=False))

    def spread_layers(self, by_flat: Tensor, n_in: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield weight, bias and scale of each layer with their gradients [..., size], in the order of the flat form.

        Args:
            by_flat: [..., P] gradients by the flat parameters; more may follow.
            n_in: Width of the input there.
        """
        first = 0
        for depth, layer in enumerate(self.layers):
            n_out = self.widths[depth]
            for tensor, size in ((layer.weight, n_out * n_in), (layer.bias, n_out), (layer.scale, n_out)):
                yield tensor, by_flat[..., first : first + size]
                first += size
            n_in = n_out


class FittingNet(LayerStack):
    """Descriptor -> energy of an atom: hidden layers and a linear output; arguments as in `LayerStack`."""

    def __init__(
        self,
        n_in: int,
        widths: Sequence[int],
        *,
        has_bias: bool,
        timestep: float | None,
        activation: str,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(n_in, widths, has_bias=has_bias, timestep=timestep, activation=activation, dtype=dtype)
        self.output = nn.Parameter(torch.empty(widths[-1], dtype=dtype).normal_(0.0, (widths[-1] + 1) ** -0.5))
        self.output_bias = nn.Parameter(torch.zeros(1, dtype=dtype))

    def flat_parameters(self) -> Tensor:
        """Return the parameters as the native operation takes them."""
        parts = []
        for layer in self.layers:
            parts += [layer.weight.reshape(-1), layer.bias, layer.scale]
        return torch.cat(parts + [self.output, self.output_bias])

    def spread_gradient(self, by_flat: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield parameters with their gradients [..., size], from those by the flat parameters [..., P]."""
        yield from self.spread_layers(by_flat, self.layers[0].weight.shape[1])
        yield self.output, by_flat[..., -1 - self.widths[-1] : -1]
        yield self.output_bias, by_flat[..., -1:]

    @property
    def n_flat(self) -> int:
        """Length of the flat form."""
        return self.n_in_layers(self.layers[0].weight.shape[1]) + self.widths[-1] + 1

    def forward(self, descriptor: Tensor) -> Tensor:
        """Map [n, n_in] to [n]."""
        return fitting_net(descriptor, self.flat_parameters(), self.widths, self.activation)


class EmbeddingNet(LayerStack):
    """Net of one scalar per pair and of constants of the neighbour's element; `n_in` is 1 + the number of these.

    Other arguments as in `LayerStack`.
    """

    def flat_parameters(self, constants: Tensor) -> Tensor:
        """Return the parameters of the net as a function of the scalar alone, as the native operation takes them.

        Args:
            constants: [n_in - 1]; their share of the first layer joins its bias.
        """
        parts = []
        for depth, layer in enumerate(self.layers):
            weight, bias = layer.weight, layer.bias
            if depth == 0:
                bias = bias + torch.mv(weight[:, 1:], constants)
                weight = weight[:, :1]
            parts += [weight.reshape(-1), bias, layer.scale]
        return torch.cat(parts)

    def spread_gradient(self, by_flat: Tensor, constants: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield parameters with their gradients [..., size], from those by the flat parameters [..., P]."""
        (weight, by_weight), (bias, by_bias), *others = self.spread_layers(by_flat, 1)
        by_constants = by_bias.unsqueeze(-1) * constants  # [..., n_out, n_in - 1]
        yield weight, torch.cat([by_weight.unsqueeze(-1), by_constants], -1).flatten(-2)
        yield bias, by_bias
        yield from others

    @property
    def n_flat(self) -> int:
        """Length of the flat form."""
        return self.n_in_layers(1)

    def forward(self, s: Tensor, rows: Tensor, start: Tensor, constants: Tensor) -> Tensor:
        """Contract the net with the environment rows of each atom's pairs.

        Args:
            s: [E] standardised input.
            rows: [E, 4].
            start: [N + 1] int64, CSR offsets of the pairs.
            constants: [n_in - 1].

        Returns:
            [N, 4, M].
        """
        return embedding_contraction(s, rows, start, self.flat_parameters(constants), self.widths, self.activation)
