"""Ziegler–Biersack–Littmark screened nuclear repulsion for short distances.

`E = 1/2 sum_{i != j} (e^2 / 4 pi eps0) Z_i Z_j / r * phi(x) * f(r)`, `x = 2.134563 r (Z_i^0.23 + Z_j^0.23)`,
`f` a cosine that falls from 1 at `inner` to 0 at `outer` (Fan et al., JCP 157, 114801, 2022; the constants are those
of the universal potential of Ziegler, Biersack and Littmark, 1985). Each directed pair carries one half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pwmlff import units
from pwmlff.elements import atomic_number_of
from pwmlff.ops.reference import repulsion_energies


class ZBLConfig(BaseModel):
    """Range of the short-range repulsion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inner: float = Field(default=0.7, ge=0.0, description="full repulsion below this distance, Å")
    outer: float = Field(default=1.4, gt=0.0, description="no repulsion beyond this distance, Å")

    @model_validator(mode="after")
    def _ordered(self) -> ZBLConfig:
        if self.outer <= self.inner:
            raise ValueError(f"`outer` ({self.outer} Å) must be larger than `inner` ({self.inner} Å)")
        return self


class ZBL(nn.Module):
    """Repulsion energy of each atom.

    Args:
        config: The range.
        elements: Symbols in type order.
    """

    if TYPE_CHECKING:  # TorchScript would try to read this annotation
        charges: Tensor

    def __init__(self, config: ZBLConfig, elements: Sequence[str]) -> None:
        super().__init__()
        self.inner = config.inner
        self.outer = config.outer
        numbers = torch.tensor([atomic_number_of(symbol) for symbol in elements], dtype=torch.float64)
        self.register_buffer("charges", numbers, persistent=False)
        self.strength = units.COULOMB

    def arrays(self) -> dict[str, Tensor]:
        """Return what the kernels need to know, by the names of `csrc/core/families.hpp`."""
        return {
            "repulsion.range": torch.tensor([self.inner, self.outer], dtype=torch.float64),
            "repulsion.strength": torch.tensor(self.strength, dtype=torch.float64),
            "repulsion.charges": self.charges,
        }

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return [N] eV; arguments as in `Network.forward`."""
        return repulsion_energies(
            pair_vectors, pair_start, pair_types, atom_types, self.charges, self.strength, self.inner, self.outer
        )
