"""One number by which epochs are ranked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from pwmlff import keys

_FORCES = 2.0  # counts as often as an energy: there are far more of them, so their mean depends less on chance
_LEAST = 1e-12


def score(rmse: Mapping[str, float], trained: Collection[str]) -> float:
    """Return the geometric mean of the errors, that of forces counted twice.

    It has no prefactors that fall while a run goes on, and depends on no unit: an error halved counts the same whatever
    the quantity.

    Args:
        rmse: Errors by quantity, in any units, but always the same.
        trained: Quantities that count.

    Returns:
        A number of no meaning by itself, less for better; infinite where nothing counts or an error is not finite.
    """
    weights = {name: _FORCES if name == keys.FORCES else 1.0 for name in trained if name in rmse}
    if not weights or not all(math.isfinite(rmse[name]) for name in weights):
        return math.inf
    logarithms = sum(weight * math.log(max(rmse[name], _LEAST)) for name, weight in weights.items())
    return math.exp(logarithms / sum(weights.values()))
