"""Finds the coarsest tables that are good enough: small tables stay in the processor's caches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pwmlff.compress.deviations import compare
from pwmlff.data.frame import Frame
from pwmlff.errors import ConfigError
from pwmlff.models import Potential

# tried from coarse to fine; even coarser tables are no faster, and beyond the distances seen in training, where
# intervals are ten times as wide, they would no longer follow the net
SPACINGS = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


@dataclass
class Choice:
    """What was chosen, and why not something coarser.

    Attributes:
        dx: Grid spacing.
        compressed: The model with tables of this spacing.
        too_coarse: Force error in eV/Å of the spacings tried before, at the frame that ruled them out.
    """

    dx: float
    compressed: Potential
    too_coarse: dict[float, float] = field(default_factory=dict)


def choose_spacing(
    original: Potential, tabulated: Callable[[float], Potential], frames: Sequence[Frame], tolerance: float
) -> Choice:
    """Return the coarsest of `SPACINGS` whose force error stays under a tolerance on all frames.

    Args:
        original: The model to compress.
        tabulated: Makes the compressed model of a spacing.
        frames: What to compare on.
        tolerance: Of the largest deviation of a force component, eV/Å.

    Raises:
        ConfigError: Even the finest one is too coarse.
    """
    too_coarse: dict[float, float] = {}
    for dx in SPACINGS:
        compressed = tabulated(dx)
        error = compare(original, compressed, frames, stop_above=tolerance).force_error
        if error <= tolerance:
            return Choice(dx, compressed, too_coarse)
        too_coarse[dx] = error
    raise ConfigError(
        f"no spacing down to {SPACINGS[-1]} keeps the force error under the tolerance of {tolerance:g} eV/Å, "
        f"the finest has {error:.1e} eV/Å; use order 5 (-o 5) or a larger --tolerance"
    )
