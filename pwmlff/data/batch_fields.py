"""What the fields of a batch hold, said where they are declared, so that one rule takes frames out of all of them.

Each field of `Batch` carries one of the roles below in its metadata: entries that belong to frames, atoms or pairs,
offsets into such entries, or one value of the whole batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import Field, dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

_ROLE = "role"  # key of a field's metadata


class Per(Enum):
    """What has one entry each."""

    FRAME = "frame"
    ATOM = "atom"
    PAIR = "pair"


Rows = Mapping[Per, Tensor]  # [n] int64, which frames, atoms and pairs are taken, in their new order


class Role(ABC):
    """What a field holds."""

    @abstractmethod
    def none(self) -> Any:
        """Return the value in a batch of no frame."""

    @abstractmethod
    def take(self, value: Any, rows: Rows) -> Any:
        """Return the value in a batch of some frames of another.

        Args:
            value: In the other batch.
            rows: What is taken of it.
        """


@dataclass(frozen=True)
class Entries(Role):
    """A tensor with one entry per frame, atom or pair.

    Attributes:
        per: Which.
        shape: Of an entry.
        dtype: Of the tensor.
        index_of: What the entries are indices of; None where they are no indices.
    """

    per: Per
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float64
    index_of: Per | None = None

    def none(self) -> Tensor:
        """See the base."""
        return torch.zeros(0, *self.shape, dtype=self.dtype)

    def take(self, value: Tensor, rows: Rows) -> Tensor:
        """See the base; indices become those of the new batch."""
        taken = value[rows[self.per]]
        if self.index_of is None:
            return taken
        kept = rows[self.index_of]
        place = kept.new_zeros(int(kept.max()) + 1 if len(kept) else 0)
        place[kept] = torch.arange(len(kept), device=kept.device)
        return place[taken]


@dataclass(frozen=True)
class Offsets(Role):
    """[n + 1] int64: entry i to entry i + 1 of the n are the first and the end of what belongs to the i-th.

    Attributes:
        per: Of what there are n.
    """

    per: Per

    def none(self) -> Tensor:
        """See the base."""
        return torch.zeros(1, dtype=torch.int64)

    def take(self, value: Tensor, rows: Rows) -> Tensor:
        """See the base."""
        counts = value.diff()[rows[self.per]]
        return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


@dataclass(frozen=True)
class FrameTexts(Role):
    """A tuple with one text per frame."""

    def none(self) -> tuple[str, ...]:
        """See the base."""
        return ()

    def take(self, value: tuple[str, ...], rows: Rows) -> tuple[str, ...]:
        """See the base."""
        return tuple(value[frame] for frame in rows[Per.FRAME].tolist())


@dataclass(frozen=True)
class Whole(Role):
    """One value for all frames.

    Attributes:
        of_none: Its value where there is no frame.
    """

    of_none: Any

    def none(self) -> Any:
        """See the base."""
        return self.of_none

    def take(self, value: Any, rows: Rows) -> Any:
        """See the base."""
        return value


def declare(role: Role) -> dict[str, Role]:
    """Return the metadata of a field with this role."""
    return {_ROLE: role}


def role_of(field: Field) -> Role:
    """Return the role that a field of a batch was declared with; it must have one."""
    assert _ROLE in field.metadata, f"`{field.name}` does not say what it holds"
    return field.metadata[_ROLE]
