"""What `pwmlff compress` asks of a family: nets that can become tables, and tables that were made.

A table stands for a net of one scalar, `s = switch(r) / r` of a pair or another function that falls with the distance.
It has fine intervals up to the largest s seen, wide ones further on, and goes on as a straight line.

Letters: `T` types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from pwmlff.models.base import Network

Order = Literal[3, 5]


class Tabulation(Protocol):
    """Nets of a trained network that tables can replace.

    Attributes:
        shortest: [T] shortest distance of an atom of each type to a neighbour in the training data, Å; the cutoff where
            the network has not seen any.
        n_neighbors: Mean number of neighbours of an atom in the training data.
    """

    @property
    def shortest(self) -> Tensor: ...  # noqa: D102 - see the class

    @property
    def n_neighbors(self) -> float: ...  # noqa: D102

    def tabulated(self, dx: float, order: Order, shortest: Tensor | None = None) -> Network:
        """Return a copy of the network with tables.

        Args:
            dx: Width of a fine interval, in units of the net's standardised input.
            order: Degree of the polynomials.
            shortest: [T] shortest distance an atom of each type will have, Å; that of the training data when None.

        Raises:
            ModelFileError: Order or dx make no sense.
        """


@dataclass(frozen=True)
class TableRange:
    """Reach of the tables of one central element, in `s = switch(r) / r`.

    Attributes:
        fine: s up to which the intervals have the width dx, 1/Å.
        coarse: s at the end of the tables, 1/Å.
        size: Bytes of the tables of all its neighbours.
    """

    fine: float
    coarse: float
    size: int


@dataclass(frozen=True)
class TableSummary:
    """The tables of a network.

    Attributes:
        per: What there is one table for, such as "neighbour type".
        n_tables: Number of tables.
        order: Degree of the polynomials.
        dx: Width of a fine interval.
        size: Bytes of all tables.
        shortest: [T] distance the fine intervals reach to, Å.
        ranges: [T] reach by central element.
    """

    per: str
    n_tables: int
    order: int
    dx: float
    size: int
    shortest: list[float]
    ranges: list[TableRange]
