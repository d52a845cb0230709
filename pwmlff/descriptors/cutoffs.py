"""Functions that take a pair's influence smoothly to zero at the cutoff."""

from __future__ import annotations

from torch import Tensor


def quintic_switch(distances: Tensor, inner: float, outer: float) -> Tensor:
    """Fall from 1 to 0 between two radii, twice continuously differentiable at both.

    `1 + u^3 (-6 u^2 + 15 u - 10)`, `u = (r - inner) / (outer - inner)` clamped to [0, 1]
    (Zhang et al., NeurIPS 2018, the switch of the smooth Deep Potential).

    Args:
        distances: Any shape, Å.
        inner: Å, 1 below.
        outer: Å, 0 beyond.
    """
    u = ((distances - inner) / (outer - inner)).clamp(0.0, 1.0)
    return 1.0 + u * u * u * (u * (15.0 - 6.0 * u) - 10.0)
