"""Model file of the toy second model: a linear function of Gaussian counts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from toy_descriptor import GaussianCounts

from pwmlff.models.base import Network, NetworkConfig


class ToyConfig(NetworkConfig):
    """Section `model` of the toy."""

    cutoff: float = Field(default=4.0, description="cutoff, Å")
    n_gaussians: int = Field(default=6, description="number of Gaussians")


class ToyModel(Network):
    """Linear in the counts, squashed so that it is not trivially additive."""

    Config = ToyConfig

    def __init__(self, config: ToyConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.cutoff = config.cutoff
        self.dtype = dtype
        self.counts = GaussianCounts(config.cutoff, config.n_gaussians, n_types)
        self.weights = nn.Parameter(0.1 * torch.randn(n_types, n_types * config.n_gaussians, dtype=dtype))

    @classmethod
    def from_config(cls, config: ToyConfig, elements: Sequence[str], dtype: torch.dtype) -> ToyModel:
        """Build an untrained network."""
        return cls(config, len(elements), dtype)

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return [N] atomic energies."""
        counts = self.counts(pair_vectors, pair_start, pair_types).to(self.dtype)
        return torch.tanh((counts * self.weights.index_select(0, atom_types)).sum(-1))
