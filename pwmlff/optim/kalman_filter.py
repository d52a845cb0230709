"""The extended Kalman filter over weights, with fading memory and a block-diagonal covariance.

A measurement is a vector of k residuals e = (label - prediction) with gradients H = d(prediction)/dw [n, k]. Over the
L blocks b of the weights (Li 2025; k = 1 there):

    S   = L lambda 1 + sum_b H_b^T P_b H_b          innovation, [k, k]
    w_b <- w_b + P_b H_b S^-1 e
    P_b <- (P_b - P_b H_b S^-1 H_b^T P_b) / lambda
    lambda <- nu lambda + 1 - nu

P is held as `scale * tiles`: dividing by lambda touches one number. With S = R R^T the rest is `tiles - W W^T`,
W = (tiles H) (sqrt(scale) R^-T). That change waits until the next measurement asks for P H: then half of P is read and
written once for both (`ops.kalman_sweep`). As `tiles` only ever shrinks from `p0 1`, no eigenvalue of P exceeds
`scale p0`; keeping this below `p_max` bounds what forgetting can blow up.

Over processes, each block has one owner; the others hold nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pwmlff import distributed
from pwmlff.ops import kalman_sweep
from pwmlff.ops.reference import KALMAN_TILE


class FilterError(Exception):
    """The innovation is not finite or not positive: P has lost its meaning."""


class KalmanFilter:
    """Covariance and memory of the filter; it does not touch the weights."""

    def __init__(
        self,
        blocks: Sequence[tuple[int, int]],
        *,
        p0: float,
        p_max: float,
        forgetting: float,
        nu: float,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        """Start from P = p0 1.

        Args:
            blocks: First and last + 1 weight of each block, without gaps.
            p0: Variance of every weight at the start.
            p_max: Largest variance that forgetting may lead to.
            forgetting: lambda of the first measurement.
            nu: lambda approaches 1 by this factor per measurement.
            dtype: Of P.
            device: Of P.
        """
        self.bounds = list(blocks)
        self.n_weights = self.bounds[-1][1]
        self.p0, self.p_max = p0, max(p0, p_max)
        self.forgetting, self.nu = forgetting, nu
        self.scale = 1.0
        self._dtype, self._device = dtype, torch.device(device)
        self._owners = _share_out([last - first for first, last in self.bounds], distributed.size())
        self._own: dict[int, Tensor] = {}  # tiles [t, 64, 64] of the own blocks
        self._pending = self._nothing()  # W [n, k], see the module docstring
        self.reset()

    @classmethod
    def restored(cls, tensors: dict[str, Tensor], state: dict[str, Any]) -> KalmanFilter:
        """Make a filter for `quadratic_form` from what `state` returned."""
        kalman = cls(state["blocks"], p0=1.0, p_max=1.0, forgetting=1.0, nu=1.0, dtype=tensors["P/0"].dtype)
        kalman.load_state(tensors, state)
        return kalman

    @property
    def noise(self) -> float:
        """Variance of the next measurement's noise."""
        return len(self.bounds) * self.forgetting

    @property
    def largest_variance(self) -> float:
        """Variance of a weight along directions in which nothing was measured."""
        return self.scale * self.p0

    def shrink(self, factor: float, *, anew: bool) -> None:
        """Trust the weights more: multiply P and its bound.

        Args:
            factor: What both are multiplied by.
            anew: Whether P has lost its meaning, and that of the start is multiplied.
        """
        if anew:
            self.reset()
        self.scale *= factor
        self.p_max *= factor

    def reset(self) -> None:
        """Forget all measurements: P = p0 1. The memory lambda stays as long as it has become."""
        self.scale = 1.0
        self._own = {
            index: self._new_block(first, last)
            for index, (first, last) in enumerate(self.bounds)
            if self._owners[index] == distributed.rank()
        }
        self._pending = self._nothing()

    def step(self, directions: Tensor, residuals: Tensor) -> Tensor:
        """Take in a measurement and return the change of the weights, [n].

        Args:
            directions: H [n, k] float64, the same on all processes.
            residuals: e [k] float64, likewise.

        Raises:
            FilterError: The innovation is not finite or not positive definite; P is as before.
        """
        products = self._product(directions)  # tiles H
        variance = self._variance(directions, products)
        identity = torch.eye(len(variance), dtype=variance.dtype, device=variance.device)
        innovation = self.noise * identity + variance
        root, failure = torch.linalg.cholesky_ex(innovation)
        if failure or not torch.isfinite(root).all() or bool((variance.diagonal() < 0).any()):
            raise FilterError("the innovation matrix is not positive definite")
        if not torch.isfinite(residuals).all():
            raise FilterError("a residual is not finite")
        solved = torch.cholesky_solve(residuals.unsqueeze(1), root)  # S^-1 e
        inverse_root = torch.linalg.solve_triangular(root, identity, upper=False)  # R^-1
        change = self.scale * (products @ solved).squeeze(1)
        self._pending = (products @ (math.sqrt(self.scale) * inverse_root.T)).to(self._dtype)
        self.scale = min(self.scale / self.forgetting, self.p_max / self.p0)
        self.forgetting = self.nu * self.forgetting + 1.0 - self.nu
        return distributed.sum_(change)

    def quadratic_form(self, directions: Tensor) -> Tensor:
        """Return `H^T P H` [k, k] of H [n, k]; nothing is measured."""
        return self._variance(directions, self._product(directions))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return P, half of it, and the numbers that belong to it; all processes must ask, the first gets it."""
        tensors = {}
        if self._pending.shape[1] > 0:
            self._product(self._nothing())
        for index, (first, last) in enumerate(self.bounds):
            tiles = self._own.get(index)
            if tiles is None:
                tiles = self._new_block(first, last)
            distributed.broadcast_(tiles, self._owners[index])
            if distributed.is_first():
                tensors[f"P/{index}"] = tiles
        state = {"forgetting": self.forgetting, "scale": self.scale, "p_max": self.p_max, "blocks": self.bounds}
        return tensors, state

    def load_state(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        self.forgetting, self.scale = float(state["forgetting"]), float(state["scale"])
        self.p_max = float(state.get("p_max", self.p_max))  # not in files of older versions
        for index, tiles in self._own.items():
            tiles.copy_(tensors[f"P/{index}"])
        self._pending = self._nothing()

    def _product(self, directions: Tensor) -> Tensor:
        """Make the change that waits, and return `tiles H` of H [n, m] in float64, 0 where others own the blocks."""
        bounds = [bound for index in self._own for bound in self.bounds[index]]
        product = kalman_sweep(list(self._own.values()), bounds, self._pending, directions.to(self._dtype))
        self._pending = self._nothing()
        return product.to(torch.float64)

    def _variance(self, directions: Tensor, products: Tensor) -> Tensor:
        """Return `sum_b H_b^T P_b H_b` [k, k] from the products [n, k] of all processes."""
        total = distributed.sum_(self.scale * (directions.T @ products))
        return (total + total.T) / 2

    def _nothing(self) -> Tensor:
        return torch.zeros(self.n_weights, 0, dtype=self._dtype, device=self._device)

    def _new_block(self, first: int, last: int) -> Tensor:
        n_rows = -(-(last - first) // KALMAN_TILE)
        shape = (n_rows * (n_rows + 1) // 2, KALMAN_TILE, KALMAN_TILE)
        tiles = torch.zeros(shape, dtype=self._dtype, device=self._device)
        diagonal = torch.full((n_rows * KALMAN_TILE,), self.p0, dtype=self._dtype)
        diagonal[last - first :] = 0.0
        on_diagonal = torch.arange(1, n_rows + 1).cumsum(0) - 1
        tiles[on_diagonal] = torch.diag_embed(diagonal.view(n_rows, KALMAN_TILE)).to(self._device)
        return tiles


def _share_out(sizes: Sequence[int], n_owners: int) -> list[int]:
    """Return the owner of each block: the largest block first, always to who has least to do."""
    load = [0] * n_owners
    owners = [0] * len(sizes)
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        owners[index] = min(range(n_owners), key=lambda owner: load[owner])
        load[owners[index]] += sizes[index] ** 2
    return owners
