"""Adam (Kingma and Ba, ICLR 2015) and AdamW (Loshchilov and Hutter, ICLR 2019)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn
from torch.optim import Optimizer

from pwmlff.optim.gradient import GradientUpdate


class AdamUpdate(GradientUpdate):
    """Adam: the mean of the gradient over the root of the mean of its square."""

    _Optimizer: ClassVar[type[torch.optim.Adam]] = torch.optim.Adam

    def make_optimizers(self, weights: list[nn.Parameter], rate: float) -> list[Optimizer]:
        """See the base."""
        return [self._Optimizer(weights, lr=rate, weight_decay=self.config.lambda_2 or 0.0, fused=True)]


class AdamWUpdate(AdamUpdate):
    """AdamW: weight decay acts on the weights, not through the moments."""

    _Optimizer = torch.optim.AdamW
