"""Muon: the momentum of each weight matrix, made orthogonal (Jordan et al., 2024).

Its steps are scaled to those of AdamW (Liu et al., arXiv 2502.16982, eq. 4), which changes all that is no matrix, so
that one learning rate and one weight decay serve both.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pwmlff.optim.gradient import GradientConfig, GradientUpdate, rate_of_end, rate_of_start

_ITERATION = (3.4445, -4.7750, 2.0315)  # of Jordan et al.: singular values end near 1 after five times
_TIMES = 5
WIDE = 3  # columns per row from which on it is the square of a matrix that is worked with, which costs less
_LIKE_ADAMW = 0.2  # root mean square of AdamW's steps, in units of the rate


class MuonConfig(GradientConfig):
    """The `optimizer` section for Muon."""

    learning_rate: float = rate_of_start(1e-2)
    stop_lr: float = rate_of_end(1e-5)


class MuonUpdate(GradientUpdate):
    """Muon for matrices, AdamW for biases and other vectors."""

    Config = MuonConfig

    def make_optimizers(self, weights: list[nn.Parameter], rate: float) -> list[Optimizer]:
        """See the base."""
        decay = self.config.lambda_2 or 0.0
        matrices = [weight for weight in weights if _is_matrix(weight)]
        others = [weight for weight in weights if not _is_matrix(weight)]
        optimizers: list[Optimizer] = []
        if matrices:
            optimizers.append(Muon(matrices, rate=rate, weight_decay=decay))
        if others:
            optimizers.append(torch.optim.AdamW(others, lr=rate, weight_decay=decay, fused=True))
        return optimizers


class Muon(Optimizer):
    """Muon for many small matrices: those of one shape are made orthogonal together, in the precision of the weights.

    `torch.optim.Muon` takes one after another, and in bfloat16, which costs more than the gradient of a small network.

    Args:
        weights: Matrices, or stacks of them, [..., rows, columns].
        rate: Learning rate.
        weight_decay: Decoupled.
        momentum: Of Nesterov's kind.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], *, rate: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(weights, {"lr": rate, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the weights that have a gradient."""
        for group in self.param_groups:
            of_shape: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    of_shape.setdefault(weight.shape[-2:], []).append(weight)
            for weights in of_shape.values():
                self._step(weights, group["lr"], group["weight_decay"], group["momentum"])

    def _step(self, weights: list[Tensor], rate: float, decay: float, momentum: float) -> None:
        rows, columns = weights[0].shape[-2:]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        means = [self.state[weight]["momentum_buffer"] for weight in weights]
        torch._foreach_lerp_(means, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, means, momentum)
        changes = orthogonal(torch.cat([change.reshape(-1, rows, columns) for change in ahead]))
        pieces = changes.split([weight.numel() // (rows * columns) for weight in weights])
        torch._foreach_mul_(weights, 1 - rate * decay)
        length = -rate * _LIKE_ADAMW * max(rows, columns) ** 0.5
        torch._foreach_add_(weights, [p.view_as(w) for p, w in zip(pieces, weights, strict=True)], alpha=length)


def orthogonal(matrices: Tensor) -> Tensor:
    """Return U V^T of each matrix U S V^T, roughly.

    Singular values above a twentieth of the norm end near 1, smaller ones below. The iteration of Newton and Schulz,
    with the polynomial a x + b x^3 + c x^5 of singular values of Jordan et al., 2024.

    Args:
        matrices: [n, rows, columns], without unit.

    Returns:
        [n, rows, columns].
    """
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if is_tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(x.dtype).tiny ** 0.5)
    rows, columns = x.shape[-2:]
    if columns > WIDE * rows:
        one = torch.eye(rows, dtype=x.dtype, device=x.device).expand(len(x), rows, rows)
        x = _levelled(one, x @ x.mT) @ x
    else:
        x = _levelled(x)
    return x.mT if is_tall else x


def _levelled(x: Tensor, gram: Tensor | None = None) -> Tensor:
    """Return P(X G X^T) X, where the polynomial P makes singular values of X G^(1/2) equal; G is one without `gram`.

    With one for X and G = Y Y^T it is the matrix that Y is to be multiplied with.

    Args:
        x: [n, rows, columns].
        gram: [n, columns, columns].

    Returns:
        [n, rows, columns].
    """
    a, b, c = _ITERATION
    for _ in range(_TIMES):
        square = (x if gram is None else x @ gram) @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x


def _is_matrix(weight: nn.Parameter) -> bool:
    return weight.dim() > 1 and min(weight.shape[-2:]) > 1
