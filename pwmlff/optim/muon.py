"""Muon: the momentum of each weight matrix, made orthogonal (Jordan et al., 2024).

Its steps are scaled to those of AdamW (Liu et al., arXiv 2502.16982, eq. 4), which changes all that is no matrix, so
that one learning rate and one weight decay serve both.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from pwmlff.optim.gradient import GradientUpdate


class MuonUpdate(GradientUpdate):
    """Muon for matrices, AdamW for biases and other vectors."""

    def make_optimizers(self, weights: list[nn.Parameter], rate: float) -> list[Optimizer]:
        """See the base."""
        decay = self.config.lambda_2 or 0.0
        matrices = [weight for weight in weights if _is_matrix(weight)]
        others = [weight for weight in weights if not _is_matrix(weight)]
        optimizers: list[Optimizer] = []
        if matrices:
            optimizers.append(torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
        if others:
            optimizers.append(torch.optim.AdamW(others, lr=rate, weight_decay=decay, fused=True))
        return optimizers


def _is_matrix(weight: nn.Parameter) -> bool:
    return weight.dim() == 2 and min(weight.shape) > 1
