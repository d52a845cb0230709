"""Tables of polynomials in the place of functions of one number."""

from __future__ import annotations

import torch
from torch import Tensor


def table_features(x: Tensor, coefficients: Tensor, lower: float, dx: float, n_fine: int, n_coarse: int) -> Tensor:
    """Evaluate a table of polynomials that stands for functions of one number, such as an embedding net.

    Interval l begins at node x_l: `G_m(x) = sum_k coefficients[l, k, m] (x - x_l)^k`. Before the first node and beyond
    the last the features go on as straight lines.

    Args:
        x: [n] float64.
        coefficients: [n_fine + n_coarse, order + 1, M].
        lower: The first node.
        dx: Width of a fine interval; a coarse one is ten times as wide.
        n_fine: Number of fine intervals.
        n_coarse: Number of coarse intervals, which follow the fine ones.

    Returns:
        [n, M] in the dtype of the coefficients.
    """
    inside = x.clamp(lower, lower + dx * (n_fine + 10 * n_coarse))
    steps = (inside.detach() - lower) / dx
    interval = (
        torch.where(steps < n_fine, steps, n_fine + (steps - n_fine) / 10).floor().clamp(0, n_fine + n_coarse - 1)
    )
    node = lower + dx * torch.where(interval < n_fine, interval, n_fine + 10 * (interval - n_fine))
    t, beyond = inside - node, x - inside
    table = coefficients.index_select(0, interval.to(torch.int64))  # [n, order + 1, M]
    features = table[:, 0]
    power = torch.ones_like(t)  # t^(k - 1)
    for k in range(1, coefficients.shape[1]):
        weight = power * (t + k * beyond)
        features = features + weight.to(coefficients.dtype).unsqueeze(-1) * table[:, k]
        power = power * t
    return features
