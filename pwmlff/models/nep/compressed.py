"""NEP whose radial functions g_n are tables: what `pwmlff compress` makes, for inference only.

A table holds one polynomial per interval of the distance and per function. Its intervals divide the way from 0 to the
cutoff of a pair, so there is no distance without one.

Letters: `T` types, `L` intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pwmlff.errors import ModelFileError
from pwmlff.models.base import Tabulation
from pwmlff.models.nep.base import NEPBase
from pwmlff.models.nep.config import NEPConfig
from pwmlff.models.tables import TableRange, TableSummary


class FunctionTableConfig(BaseModel):
    """Section `table` of a compressed NEP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Literal[3, 5] = Field(description="degree of the polynomials")
    dx: float = Field(gt=0, description="width of an interval at most, Å")
    intervals: tuple[int, int] = Field(description="number of them from 0 to the radial and to the angular cutoff")


class CompressedNEPConfig(NEPConfig):
    """Section `model` of a compressed NEP; `descriptor.basis_size` tells the functions it was made from."""

    table: FunctionTableConfig


class CompressedNEP(NEPBase):
    """NEP on tables; arguments as in `NEPBase`."""

    Config = CompressedNEPConfig
    untrainable = "a compressed model"
    radial_table: Tensor
    angular_table: Tensor

    def __init__(self, config: CompressedNEPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__(config, n_types, dtype)
        self.table = config.table
        for name, intervals, n_max in zip(
            ("radial_table", "angular_table"), config.table.intervals, config.descriptor.n_max, strict=True
        ):
            size = (n_types, n_types, intervals, config.table.order + 1, n_max + 1)
            self.register_buffer(name, torch.zeros(size, dtype=dtype))  # [T, T, L, order + 1, n]
        width, neurons = config.descriptor.width, config.fitting_net.neurons
        self.net = nn.Parameter(torch.zeros(n_types, neurons * (width + 2) + 1, dtype=dtype))

    @classmethod
    def from_config(cls, config: CompressedNEPConfig, elements: Sequence[str], dtype: torch.dtype) -> CompressedNEP:
        """Build a network of empty tables; `pwmlff.compress` and checkpoints fill them."""
        return cls(config, len(elements), dtype)

    def weights(self) -> dict[str, Tensor]:
        """See the base."""
        return {"radial.table": self.radial_table, "angular.table": self.angular_table, "net": self.net}

    def tabulation(self) -> Tabulation:
        """Refuse, see `Network.tabulation`."""
        raise ModelFileError("the model is compressed already; compress the checkpoint that training wrote")

    def table_summary(self) -> TableSummary:
        """See `Network.table_summary`."""
        size, n_types = self.radial_table.nbytes + self.angular_table.nbytes, len(self.cutoffs)
        farthest = (0.5 * (self.cutoffs + self.cutoffs.amax(0))).tolist()  # with the neighbours that reach farthest
        return TableSummary(
            per="(central, neighbour) type, radial and angular",
            n_tables=2 * n_types * n_types,
            order=self.table.order,
            dx=self.table.dx,
            size=size,
            shortest=[],
            parts=("radial to Å", "angular to Å"),
            ranges=[TableRange(tuple(cutoffs), size // n_types) for cutoffs in farthest],
        )
