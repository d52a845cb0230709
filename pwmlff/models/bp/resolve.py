"""Which symmetry functions a `model` section asks for."""

from __future__ import annotations

from collections.abc import Sequence

from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError
from pwmlff.models.bp.basis import automatic_functions
from pwmlff.models.bp.config import BPDescriptorConfig
from pwmlff.models.bp.features import feature_functions
from pwmlff.models.bp.functions import SymmetryFunction


def resolved_functions(
    descriptor: BPDescriptorConfig, elements: Sequence[str], frames: Sequence[Frame] | None = None
) -> list[SymmetryFunction]:
    """Return the symmetry functions.

    Args:
        descriptor: Lists them, or says how they are made.
        elements: Symbols in type order.
        frames: Of the training data; None where they are not known.

    Raises:
        ConfigError: They are made from the training data, which is not known or does not suffice.
    """
    if descriptor.functions is not None:
        return list(descriptor.functions)
    if descriptor.feature_type is not None:
        return feature_functions(descriptor, elements, frames)
    if frames is None:
        raise ConfigError(
            "the symmetry functions are chosen from the training data, which is not known here; list them in "
            "`model.descriptor.functions`"
        )
    return automatic_functions(frames, elements, descriptor)
