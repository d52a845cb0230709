"""Symmetry functions for given training data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pwmlff.data.frame import Frame
from pwmlff.models.bp.config import BPDescriptorConfig
from pwmlff.models.bp.functions import SymmetryFunction


def automatic_functions(
    frames: Sequence[Frame], elements: Sequence[str], options: BPDescriptorConfig
) -> list[SymmetryFunction]:
    """Return symmetry functions for each element.

    Args:
        frames: The training data.
        elements: Symbols in type order.
        options: Cutoff, numbers of functions, and what else the run file says.
    """
    functions = []
    cutoff = options.Rmax
    centers = np.linspace(1.5, cutoff - 0.5, options.n_radial)
    for element in elements:
        for center in centers:
            functions.append(SymmetryFunction(type="G2", neighbors=(element,), cutoff=cutoff, eta=2.0, r_s=center))
    for number in range(options.n_angular):
        zeta, eta, sign = 2.0 ** (number // 2 % 4), (0.005, 0.05, 0.1)[number // 8 % 3], 1.0 - 2.0 * (number % 2)
        parameters = {"cutoff": cutoff, "eta": eta, "zeta": zeta, "lambda": sign}
        functions.append(SymmetryFunction.model_validate({"type": "G5", "weights": "Z", **parameters}))
    return functions
