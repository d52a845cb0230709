"""PyTorch twins of the native operations: fallback where the library is missing, and oracle in the tests."""

from __future__ import annotations

import torch
from torch import Tensor


def embedding_net(s: Tensor, parameters: Tensor, widths: list[int], activation: int) -> Tensor:
    """Evaluate a residual net of one scalar input.

    Layer: `y = t * phi(W x + b)`, plus `x` where the widths are equal, plus `(x, x)` where the width doubles.

    Args:
        s: [E].
        parameters: [P], layer after layer weight [n_out, n_in], bias [n_out], scale t [n_out].
        widths: n_out of each layer.
        activation: 0 for tanh, 1 for the logistic sigmoid.

    Returns:
        [E, widths[-1]].
    """
    x = s.unsqueeze(-1)
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


def embedding_contraction(
    s: Tensor, rows: Tensor, start: Tensor, parameters: Tensor, widths: list[int], activation: int
) -> Tensor:
    """Contract an embedding net with the environment rows of each atom's pairs.

    `A[n, c, m] = sum_{e in pairs of n} rows[e, c] G_m(s_e)` (Zhang et al., NeurIPS 2018).

    Args:
        s: [E] input of the net.
        rows: [E, 4].
        start: [N + 1] int64, pairs of atom n are `start[n]:start[n + 1]`.
        parameters: See `embedding_net`.
        widths: See `embedding_net`.
        activation: See `embedding_net`.

    Returns:
        [N, 4, M].
    """
    n_atoms = start.shape[0] - 1
    centers = torch.repeat_interleave(torch.arange(n_atoms, device=start.device), start[1:] - start[:-1])
    features = embedding_net(s, parameters, widths, activation)  # [E, M]
    sums = torch.zeros([n_atoms, 4, widths[-1]], dtype=s.dtype, device=s.device)
    return sums.index_add(0, centers, rows.unsqueeze(2) * features.unsqueeze(1))
