"""What to tell a user about predictions that a model was not made for."""

from __future__ import annotations

from torch import nn

from pwmlff.models.inference import table_overflows


def overflow_notices(module: nn.Module, name: str = "the model") -> list[str]:
    """Say which distances, in all predictions so far, the tables of a compressed model were not made for.

    Args:
        module: An inference form or an exported model.
        name: What the notice calls it.

    Returns:
        One line, or none where all was well.
    """
    nearer, beyond = table_overflows(module)
    if nearer == 0:
        return []
    tail = f" ({beyond} of them beyond its tables, which straight lines continue)" if beyond else ""
    return [f"warning: {name} met {nearer} pairs nearer than any it was compressed for{tail}; it extrapolates there"]
