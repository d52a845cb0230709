"""Deep Potential whose embedding nets are tables: what `pwmlff compress` makes, for inference only.

A table holds one polynomial per interval of the net's input x and per feature. Fine intervals of width `dx` cover the
range seen in training, coarse ones ten times as wide follow; beyond both ends the features go on as straight lines, so
that they and their slopes are continuous everywhere.

Letters: `N` atoms, `E` pairs, `T` types, `K` tables, `L` intervals of a table, `M` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pwmlff.errors import ModelFileError
from pwmlff.models.base import Network, Tabulation
from pwmlff.models.dp.base import DeepPotentialBase, sort_by_kind, split_by_kind
from pwmlff.models.dp.config import DPConfig
from pwmlff.models.dp.stored import stored_tables
from pwmlff.models.tables import TableRange, TableSummary
from pwmlff.ops import StoredModel
from pwmlff.ops.pairs import pair_centers
from pwmlff.ops.reference import table_features


class TableGrid(BaseModel):
    """Where the intervals of one table lie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lower: float = Field(description="first node, in units of the net's standardised input")
    fine: int = Field(ge=1, description="number of intervals of width dx")
    coarse: int = Field(ge=0, description="number of intervals of width 10 dx that follow")


class TableConfig(BaseModel):
    """Section `table` of a compressed model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Literal[3, 5] = Field(description="degree of the polynomials")
    dx: float = Field(gt=0, description="width of a fine interval")
    by_pair: bool = Field(description="a table per (central, neighbour) type, otherwise per neighbour type")
    grids: tuple[TableGrid, ...] = Field(min_length=1, description="one per table")


class CompressedDPConfig(DPConfig):
    """Section `model` of a compressed Deep Potential; `descriptor.network_size` tells the nets it was made from."""

    table: TableConfig

    @model_validator(mode="after")
    def _counts_fit(self) -> CompressedDPConfig:
        n_tables = len(self.table.grids)
        if self.table.by_pair and round(n_tables**0.5) ** 2 != n_tables:
            raise ValueError(f"{n_tables} tables are not one per pair of types")
        return self


class EmbeddingTable(nn.Module):
    """One table.

    Args:
        grid: Its intervals.
        dx: Width of a fine interval.
        order: Degree of the polynomials.
        n_features: M.
        dtype: Of the coefficients; positions are float64.
    """

    coefficients: Tensor

    def __init__(self, grid: TableGrid, dx: float, order: int, n_features: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.grid, self.dx = grid, dx
        size = (grid.fine + grid.coarse, order + 1, n_features)
        self.register_buffer("coefficients", torch.zeros(size, dtype=dtype))  # [L, order + 1, M], lowest power first

    def forward(self, x: Tensor) -> Tensor:
        """Return the features [n, M] at inputs [n], float64."""
        return table_features(x, self.coefficients, self.grid.lower, self.dx, self.grid.fine, self.grid.coarse)


class CompressedDeepPotential(DeepPotentialBase):
    """Deep Potential, plain or with type embedding, on tables."""

    Config = CompressedDPConfig
    untrainable = "a compressed model"
    tables: Any

    def __init__(self, config: CompressedDPConfig, n_types: int, dtype: torch.dtype) -> None:
        super().__init__(config, n_types, dtype)
        table = config.table
        expected = n_types * n_types if table.by_pair else n_types
        if len(table.grids) != expected:
            raise ValueError(f"{len(table.grids)} tables for {n_types} elements, expected {expected}")
        self.table = table
        self.by_pair = table.by_pair
        self.dtype = dtype
        self.environment.dtype = torch.float64  # a table is looked up in float64
        self.tables = nn.ModuleList(
            EmbeddingTable(grid, table.dx, table.order, self.n_features, dtype) for grid in table.grids
        )

    @classmethod
    def from_config(cls, config: CompressedDPConfig, elements: Sequence[str], dtype: torch.dtype) -> Network:
        """Build a network of empty tables; `pwmlff.compress` and checkpoints fill them."""
        return cls(config, len(elements), dtype)

    def stored(self, geometry: torch.dtype = torch.float64) -> StoredModel:
        """See `Network.stored`."""
        coefficients = torch.cat([table.coefficients for table in self.tables])
        grids = [[table.grid.lower, table.grid.fine, table.grid.coarse] for table in self.tables]
        return stored_tables(self, coefficients, grids, self.table.dx, geometry)

    def tabulation(self) -> Tabulation:
        """Refuse, see `Network.tabulation`."""
        raise ModelFileError("the model is compressed already; compress the checkpoint that training wrote")

    def table_summary(self) -> TableSummary:
        """See `Network.table_summary`."""
        table, mean, scale = self.table, self.environment.mean.tolist(), self.environment.scale[:, 0].tolist()
        ranges = []
        for central in range(self.n_types):
            first = central * self.n_types if self.by_pair else 0
            grid = table.grids[first]
            fine, coarse = (
                mean[central] + scale[central] * (grid.lower + table.dx * steps)
                for steps in (grid.fine, grid.fine + 10 * grid.coarse)
            )
            ranges.append(TableRange((fine, coarse), self._size(first, first + self.n_types)))
        return TableSummary(
            per="(central, neighbour) type" if self.by_pair else "neighbour type",
            n_tables=len(self.tables),
            order=table.order,
            dx=table.dx,
            size=self._size(0, len(self.tables)),
            shortest=self.environment.shortest.tolist(),
            parts=("fine to s 1/Å", "coarse to s 1/Å"),
            ranges=ranges,
        )

    def _size(self, first: int, last: int) -> int:
        return sum(self.tables[place].coefficients.nbytes for place in range(first, last))

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N]; see `Network.forward`."""
        centers = pair_centers(pair_start)  # [E]
        center_types = atom_types.index_select(0, centers)  # [E]
        kinds = pair_types + center_types * self.n_types if self.by_pair else pair_types
        order, counts = sort_by_kind(kinds, len(self.tables))
        s, rows = self.environment(pair_vectors, center_types, order)  # [E], [E, 4]
        parts = split_by_kind(s, rows.to(self.dtype), centers.index_select(0, order), counts)
        sums = torch.zeros([atom_types.shape[0], 4, self.n_features], dtype=self.dtype, device=s.device)
        for kind, table in enumerate(self.tables):
            s_part, rows_part, centers_part = parts[kind]
            outer_products = rows_part.unsqueeze(2) * table(s_part).unsqueeze(1)  # [e, 4, M]
            sums = sums.index_add(0, centers_part, outer_products)
        return self.energies_of(sums, atom_types)
