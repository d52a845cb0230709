"""PyTorch twins of the native operations: fallback where the library is missing, and oracle in the tests."""

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


def embedding_contraction(
    s: Tensor, rows: Tensor, start: Tensor, parameters: Tensor, widths: list[int], activation: int
) -> Tensor:
    """Contract an embedding net with the environment rows of each atom's pairs.

    `A[n, c, m] = sum_{e in pairs of n} rows[e, c] G_m(s_e)` (Zhang et al., NeurIPS 2018).

    Args:
        s: [E] input of the net.
        rows: [E, 4].
        start: [N + 1] int64, pairs of atom n are `start[n]:start[n + 1]`.
        parameters: See `residual_net`; one input.
        widths: See `residual_net`.
        activation: See `residual_net`.

    Returns:
        [N, 4, M].
    """
    n_atoms = start.shape[0] - 1
    centers = torch.repeat_interleave(torch.arange(n_atoms, device=start.device), start[1:] - start[:-1])
    features = residual_net(s.unsqueeze(-1), parameters, widths, activation)  # [E, M]
    sums = torch.zeros([n_atoms, 4, widths[-1]], dtype=s.dtype, device=s.device)
    return sums.index_add(0, centers, rows.unsqueeze(2) * features.unsqueeze(1))
