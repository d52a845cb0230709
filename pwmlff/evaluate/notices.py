"""What to tell a user about predictions that a model was not made for."""

from __future__ import annotations

from pwmlff.models import Potential


def overflow_notices(potential: Potential, name: str = "the model") -> list[str]:
    """Say which distances, in all predictions so far, the tables of a compressed model were not made for.

    Args:
        potential: The model.
        name: What the notice calls it.

    Returns:
        One line, or none where all was well.
    """
    nearer, beyond = potential.network.overflows()
    if nearer == 0:
        return []
    tail = f" ({beyond} of them beyond its tables, which straight lines continue)" if beyond else ""
    return [f"warning: {name} met {nearer} pairs nearer than any it was compressed for{tail}; it extrapolates there"]
