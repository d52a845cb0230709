"""Operations with native kernels; each falls back on its PyTorch twin where there is no kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from pwmlff.ops import library, reference

if library.load():

    def embedding_contraction(
        s: Tensor, rows: Tensor, start: Tensor, parameters: Tensor, widths: list[int], activation: int
    ) -> Tensor:
        """Contract an embedding net with environment rows; see `reference.embedding_contraction`."""
        if s.device.type == "cpu":
            return torch.ops.pwmlff.embedding_contraction(s, rows, start, parameters, widths, activation)
        return reference.embedding_contraction(s, rows, start, parameters, widths, activation)

    def fitting_net(inputs: Tensor, parameters: Tensor, widths: list[int], activation: int) -> Tensor:
        """Evaluate a fitting net; see `reference.fitting_net`."""
        if inputs.device.type == "cpu":
            return torch.ops.pwmlff.fitting_net(inputs, parameters, widths, activation)
        return reference.fitting_net(inputs, parameters, widths, activation)

else:
    embedding_contraction = reference.embedding_contraction
    fitting_net = reference.fitting_net

__all__ = ["embedding_contraction", "fitting_net", "library", "reference"]
