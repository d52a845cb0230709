"""Descriptor file of the toy second model: Gaussian counts of neighbours."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class GaussianCounts(nn.Module):
    """`q_k = sum_j exp(-(r_ij - c_k)^2 / w^2) f_c(r_ij)`, counted by type of the neighbour."""

    def __init__(self, cutoff: float, n_gaussians: int, n_types: int) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.n_types = n_types
        self.width = cutoff / n_gaussians
        self.register_buffer("grid", torch.linspace(1.0, cutoff, n_gaussians, dtype=torch.float64))

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor) -> Tensor:
        """Return [N, T * K]."""
        n_atoms = pair_start.shape[0] - 1
        centers = torch.repeat_interleave(torch.arange(n_atoms), pair_start[1:] - pair_start[:-1])
        distances = torch.linalg.vector_norm(pair_vectors, dim=-1, keepdim=True)
        fade = torch.cos(math.pi / 2 * (distances / self.cutoff).clamp(max=1.0)) ** 3
        counts = torch.exp(-(((distances - self.grid) / self.width) ** 2)) * fade  # [E, K]
        slots = centers * self.n_types + pair_types
        sums = torch.zeros([n_atoms * self.n_types, self.grid.shape[0]], dtype=counts.dtype)
        return sums.index_add(0, slots, counts).view(n_atoms, self.n_types * self.grid.shape[0])
