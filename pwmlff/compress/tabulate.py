"""A potential with tables in the place of functions of one number."""

from __future__ import annotations

from torch import Tensor

from pwmlff.models import Potential
from pwmlff.models.tables import Order


def tabulate(potential: Potential, dx: float, order: Order, shortest: Tensor | None = None) -> Potential:
    """Return a copy of a potential whose functions of one number are tables; see `models.base.Tabulation`.

    Raises:
        ModelFileError: The model has no such functions, or order or dx make no sense.
    """
    return potential.with_network(potential.network.tabulation().tabulated(dx, order, shortest))
