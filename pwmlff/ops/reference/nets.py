"""Residual nets."""

from __future__ import annotations

import torch
from torch import Tensor


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
