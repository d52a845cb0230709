"""What to tell a user about predictions that a model was not made for."""

from __future__ import annotations

from pwmlff.models import Potential


def overflow_notices(potential: Potential, name: str = "the model") -> list[str]:
    """Say which distances, in all predictions so far, a model was not made for.

    Args:
        potential: The model.
        name: What the notice calls it.

    Returns:
        One line, or none where all was well.
    """
    nearer, beyond = potential.overflows()
    if nearer == 0:
        return []
    tail = f" ({beyond} of them beyond its tables, which straight lines continue)" if beyond else ""
    known = "in its training data" if potential.knows_shortest() else "it was compressed for"
    return [f"warning: {name} met {nearer} pairs nearer than any {known}{tail}; it extrapolates there"]
