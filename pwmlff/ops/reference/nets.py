"""Residual nets, and plain ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

# those of plain nets; n2p2's too
_ACTIVATION_FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "linear": lambda z: z,
    "softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),
    "relu": torch.relu,
    "gaussian": lambda z: torch.exp(-0.5 * z * z),
    "cos": torch.cos,
    "revlogistic": lambda z: torch.sigmoid(-z),
    "exp": lambda z: torch.exp(-z),
    "harmonic": torch.square,
}
ACTIVATIONS = tuple(_ACTIVATION_FUNCTIONS)  # the place is what stored arrays hold


def residual_net(x: Tensor, parameters: Tensor, widths: list[int], activation: int) -> Tensor:
    """Evaluate the hidden layers of a residual net.

    Layer: `y = t * phi(W x + b)`; from the second on, plus `x` where the widths are equal, plus `(x, x)` where the
    width doubles (Zhang et al., NeurIPS 2018).

    Args:
        x: [n, n_in].
        parameters: Layer after layer weight [n_out, n_in], bias [n_out], scale t [n_out]; more may follow.
        widths: n_out of each layer.
        activation: 0 for tanh, 1 for the logistic sigmoid.

    Returns:
        [n, widths[-1]].
    """
    offset = 0
    for depth, n_out in enumerate(widths):
        n_in = x.shape[1]
        weight = parameters[offset : offset + n_out * n_in].view(n_out, n_in)
        offset += n_out * n_in
        bias = parameters[offset : offset + n_out]
        scale = parameters[offset + n_out : offset + 2 * n_out]
        offset += 2 * n_out
        z = torch.nn.functional.linear(x, weight, bias)
        y = scale * (torch.tanh(z) if activation == 0 else torch.sigmoid(z))
        if depth > 0 and n_out == n_in:
            y = y + x
        elif depth > 0 and n_out == 2 * n_in:
            y = y + torch.cat([x, x], dim=-1)
        x = y
    return x


def fitting_net(inputs: Tensor, parameters: Tensor, widths: list[int], activation: int) -> Tensor:
    """Evaluate a fitting net: a residual net and a linear output.

    Args:
        inputs: [n, D] descriptors.
        parameters: Those of `residual_net`, then the output's weight [widths[-1]] and bias [1].
        widths: See `residual_net`.
        activation: See `residual_net`.

    Returns:
        [n] energies.
    """
    hidden = residual_net(inputs, parameters, widths, activation)
    return torch.mv(hidden, parameters[-1 - widths[-1] : -1]) + parameters[-1]


def plain_net(inputs: Tensor, layers: Sequence[tuple[Tensor, Tensor]], activations: Sequence[int]) -> Tensor:
    """Evaluate a net without links: each layer is `y = phi(W x + b)`.

    Args:
        inputs: [n, n_in].
        layers: Weight [n_out, n_in] and bias [n_out] of each layer.
        activations: Of each layer, places in `ACTIVATIONS`.

    Returns:
        [n, n_out] of the last layer.
    """
    x = inputs
    for (weight, bias), activation in zip(layers, activations, strict=True):
        x = _ACTIVATION_FUNCTIONS[ACTIVATIONS[activation]](torch.nn.functional.linear(x, weight, bias))
    return x
