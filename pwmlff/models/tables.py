"""What a network says of the tables that `pwmlff compress` made.

A table stands for a net of one scalar, `s = switch(r) / r` of a pair or another function that falls with the distance.
It has fine intervals up to somewhat more than the largest s seen, wide ones further on, and goes on as a straight line.

Letters: `T` types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Order = Literal[3, 5]


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
        shortest: [T] shortest distances of the data they were made for, Å; the fine intervals reach further.
        ranges: [T] reach by central element.
    """

    per: str
    n_tables: int
    order: int
    dx: float
    size: int
    shortest: list[float]
    ranges: list[TableRange]
