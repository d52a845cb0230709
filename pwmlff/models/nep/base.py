"""What NEPs on coefficients and on tables share: cutoffs, scaling, and the arrays that the kernels take.

Letters: `N` atoms, `T` types, `D` length of the descriptor.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from pwmlff.models.base import NetworkConfig
from pwmlff.models.native import KernelNetwork
from pwmlff.models.nep.config import NEPConfig
from pwmlff.models.nep.stored import FAMILY
from pwmlff.ops import StoredModel
from pwmlff.ops.reference import nep


class NEPBase(KernelNetwork):
    """Cutoffs and scaler; a subclass gives nets and radial functions.

    Args:
        config: The `model` section.
        n_types: Number of elements.
        dtype: Of the weights.
    """

    Config: ClassVar[type[NetworkConfig]] = NEPConfig
    is_flat_at_cutoff = False  # the cutoff function is a cosine
    cutoffs: Tensor
    scaler: Tensor

    def __init__(self, config: NEPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.config = config
        descriptor = config.descriptor
        self.cutoff = max(descriptor.cutoff)
        cutoffs = torch.tensor(descriptor.cutoff, dtype=torch.float64).view(-1, 2)
        if len(cutoffs) not in (1, n_types):
            raise ValueError(f"cutoffs of {len(cutoffs)} elements, expected those of {n_types} or one for all")
        self.register_buffer("cutoffs", cutoffs.expand(n_types, 2).clone(), persistent=False)
        self.register_buffer("scaler", torch.ones(descriptor.width, dtype=dtype))

    def weights(self) -> dict[str, Tensor]:
        """Return those arrays of `stored.py` that hold weights or what is made of them, as functions of them."""
        raise NotImplementedError

    def arrays(self) -> dict[str, Tensor]:
        """Return all arrays of `stored.py`, with float64 geometry."""
        descriptor = self.config.descriptor
        return {
            "cutoff": self.cutoffs,
            "l_max": torch.tensor(descriptor.l_max[0]),
            "extras": torch.tensor(descriptor.extras),
            **self.weights(),
            "scaler": self.scaler,
            "double_geometry": torch.tensor(1),
        }

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel:
        """See `Network.stored`."""
        with torch.no_grad():
            return StoredModel.from_arrays(FAMILY, self.arrays(), geometry)

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`."""
        overflows = torch.zeros(2, dtype=torch.int64)  # there are none
        return nep.atomic_energies(self.arrays(), pair_vectors, pair_start, pair_types, atom_types, overflows)
