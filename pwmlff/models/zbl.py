"""Ziegler–Biersack–Littmark screened nuclear repulsion for short distances.

`E = 1/2 sum_{i != j} (e^2 / 4 pi eps0) Z_i Z_j / r * phi(x) * f(r)`, `x = 2.134563 r (Z_i^0.23 + Z_j^0.23)`,
`phi` a sum of four exponentials, `f` a cosine that falls from 1 at `inner` to 0 at `outer` (Fan et al., JCP 157,
114801, 2022). Each directed pair carries one half. As in GPUMD there are three kinds:

    universal   one range for all pairs of elements, and the screening of Ziegler, Biersack and Littmark, 1985
    typewise    that screening; two elements repel up to factor (R_i + R_j), R covalent radii, but not beyond `outer`
    flexible    range and screening of each pair of elements for itself

Letters: `T` types.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from pwmlff import units
from pwmlff.elements import atomic_number_of, covalent_radius, size_of
from pwmlff.errors import ConfigError
from pwmlff.ops.reference import UNIVERSAL_SCREENING, repulsion_energies

_NEAR = 0.6  # of covalent radii, where nuclei repel each other
_FULL, _CLEAR = 0.7, 0.95  # of the shortest distance of the data, where a repulsion that is added is full, and ends
_FARTHEST = 2.5  # Å, where it ends at the latest, such as between elements that do not meet
_ROW = 2 + len(UNIVERSAL_SCREENING)  # numbers of a pair of elements in `ZBLConfig.flexible`


class ZBLConfig(BaseModel):
    """Range of the short-range repulsion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inner: float = Field(default=0.7, ge=0.0, description="full repulsion below this distance, Å")
    outer: float = Field(default=1.4, gt=0.0, description="no repulsion beyond this distance, Å")
    typewise_factor: float | None = Field(
        default=None,
        gt=0.0,
        description="two elements repel up to this times the sum of their covalent radii, fading from distance 0, and "
        "not beyond `outer`; null: the same range for all",
    )
    flexible: tuple[tuple[float, ...], ...] | None = Field(
        default=None,
        description="in place of all above, ten numbers for each pair of elements, in the order 11, 12, ..., 22, ...: "
        "its inner and outer distance, and amplitude and decay of four screening terms; null: universal screening",
    )

    @field_validator("flexible")
    @classmethod
    def _are_pairs(cls, rows: tuple[tuple[float, ...], ...] | None) -> tuple[tuple[float, ...], ...] | None:
        for number, row in enumerate(rows or (), start=1):
            if len(row) != _ROW or not all(math.isfinite(value) for value in row):
                raise ValueError(f"row {number} has {len(row)} numbers, expected {_ROW} that are finite")
            if not (0.0 <= row[0] < row[1] or row[:2] == (0.0, 0.0)):
                raise ValueError(
                    f"row {number} has the range {row[0]:g} to {row[1]:g} Å, expected an inner distance from 0 on and "
                    "an outer one above it, or 0 and 0 for no repulsion"
                )
        return rows

    @model_validator(mode="after")
    def _ordered(self) -> ZBLConfig:
        if self.outer <= self.inner:
            raise ValueError(f"`outer` ({self.outer} Å) must be larger than `inner` ({self.inner} Å)")
        if self.flexible is not None and self.typewise_factor is not None:
            raise ValueError("`flexible` gives each pair of elements a range already; leave `typewise_factor` out")
        return self

    @classmethod
    def below(cls, shortest: Tensor, elements: Sequence[str]) -> ZBLConfig | None:
        """Return a repulsion that ends before the shortest distances of some data; None where they are short enough.

        Data that hold a pair of elements nearer than 0.6 times the sum of their covalent radii teach the repulsion
        themselves.

        Args:
            shortest: [T, T] Å, by pair of elements.
            elements: Symbols in type order.
        """
        rows = []
        for i, j in combinations_with_replacement(range(len(elements)), 2):
            distance = float(shortest[i, j])
            if distance < _NEAR * (size_of(elements[i]) + size_of(elements[j])):
                return None
            outer = round(min(_CLEAR * distance, _FARTHEST), 2)
            rows.append((round(_FULL / _CLEAR * outer, 3), outer, *UNIVERSAL_SCREENING))
        return cls(flexible=tuple(rows))

    def element_problems(self, elements: Sequence[str]) -> list[str]:
        """Return what is wrong with these settings for these elements, each as a line that begins with its key."""
        n_types, problems = len(elements), []
        n_pairs = n_types * (n_types + 1) // 2
        if self.flexible is not None and len(self.flexible) != n_pairs:
            problems.append(
                f"flexible: {len(self.flexible)} rows, expected {n_pairs}, one for each pair of {' '.join(elements)}"
            )
        if self.typewise_factor is not None:
            for symbol in elements:
                try:
                    covalent_radius(symbol)
                except ConfigError as error:
                    problems.append(f"typewise_factor: {error}")
        return problems

    def of_types(self, types: Sequence[int], n_types: int) -> ZBLConfig:
        """Return the settings for some of so many types, or for these in another order."""
        if self.flexible is None:
            return self
        rows = dict(zip(combinations_with_replacement(range(n_types), 2), self.flexible, strict=True))
        chosen = tuple(rows[min(pair), max(pair)] for pair in combinations_with_replacement(types, 2))
        return self.model_copy(update={"flexible": chosen})

    def pair_rows(self, elements: Sequence[str]) -> Tensor:
        """Return range and screening of all pairs of elements, as in `flexible`, [T, T, 10] float64.

        Args:
            elements: Symbols in type order.

        Raises:
            ConfigError: These settings are not for these elements.
        """
        problems = self.element_problems(elements)
        if problems:
            raise ConfigError(f"zbl.{problems[0]}")
        n_types = len(elements)
        if self.flexible is not None:
            first, second = torch.triu_indices(n_types, n_types)
            rows = torch.zeros(n_types, n_types, _ROW, dtype=torch.float64)
            rows[first, second] = rows[second, first] = torch.tensor(self.flexible, dtype=torch.float64)
            return rows
        rows = torch.tensor([self.inner, self.outer, *UNIVERSAL_SCREENING], dtype=torch.float64)
        rows = rows.repeat(n_types, n_types, 1)
        if self.typewise_factor is not None:
            radii = torch.tensor([covalent_radius(symbol) for symbol in elements], dtype=torch.float64)
            rows[:, :, 0] = 0.0
            rows[:, :, 1].clamp_(max=self.typewise_factor * (radii.unsqueeze(0) + radii.unsqueeze(1)))
        return rows


class ZBL(nn.Module):
    """Repulsion energy of each atom.

    Args:
        config: The ranges.
        elements: Symbols in type order.

    Raises:
        ConfigError: The ranges are not for these elements.
    """

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        charges: Tensor
        ranges: Tensor
        screening: Tensor

    def __init__(self, config: ZBLConfig, elements: Sequence[str]) -> None:
        super().__init__()
        self.config = config
        numbers = torch.tensor([atomic_number_of(symbol) for symbol in elements], dtype=torch.float64)
        rows = config.pair_rows(elements)
        self.register_buffer("charges", numbers, persistent=False)
        self.register_buffer("ranges", rows[:, :, :2].contiguous(), persistent=False)
        self.register_buffer("screening", rows[:, :, 2:].contiguous(), persistent=False)
        self.strength = units.COULOMB

    def arrays(self) -> dict[str, Tensor]:
        """Return what the kernels need to know, by the names of `csrc/core/families.hpp`."""
        return {
            "repulsion.range": self.ranges,
            "repulsion.screening": self.screening,
            "repulsion.strength": torch.tensor(self.strength, dtype=torch.float64),
            "repulsion.charges": self.charges,
        }

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return [N] eV; arguments as in `Network.forward`."""
        return repulsion_energies(
            pair_vectors, pair_start, pair_types, atom_types, self.charges, self.strength, self.ranges, self.screening
        )
