"""One small model of each family with kernels, for tests of what every family owes its users.

A new family gets a row here; `model_cases.py` has the cases of its physics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pwmlff.models import MODELS, Potential, build_potential

FAMILIES = ("DP", "NEP", "NN")  # values of `model_type`


def _deep_potential(cutoff: float) -> dict[str, Any]:
    return {
        "descriptor": {"Rmax": cutoff, "network_size": [4, 8], "M2": 4},
        "fitting_net": {"network_size": [6, 6, 1]},
    }


def _nep(cutoff: float) -> dict[str, Any]:
    return {
        "descriptor": {"cutoff": [cutoff, cutoff - 0.5], "n_max": [2, 2], "basis_size": [4, 4]},
        "fitting_net": {"network_size": 5},
    }


def _symmetry_functions(cutoff: float) -> dict[str, Any]:
    radial = [{"type": "G2", "cutoff": cutoff, "eta": eta, "r_s": r_s} for eta, r_s in ((0.2, 0.0), (1.0, 2.5))]
    angular = [
        {"type": kind, "cutoff": cutoff - 0.5, "eta": 0.05, "r_s": 0.0, "lambda": sign, "zeta": 2}
        for kind, sign in (("G5", 1), ("G4", -1))
    ]
    return {"descriptor": {"functions": radial + angular}, "fitting_net": {"network_size": [5, 1]}}


_SECTIONS = {
    "DP": _deep_potential,
    "DP_TYPE_EMBEDDING": _deep_potential,
    "NEP": _nep,
    "NN": _symmetry_functions,
}


def small_section(model_type: str, cutoff: float) -> dict[str, Any]:
    """Return the section `model` of a run file for a model that trains and runs in an instant."""
    return _SECTIONS[model_type](cutoff)


def small_potential(model_type: str, cutoff: float, elements: Sequence[str], *, seed: int = 3, **how: Any) -> Potential:
    """Return such a model with random weights; the last arguments are those of `build_potential`."""
    torch.manual_seed(seed)
    config = MODELS[model_type].Config.model_validate(small_section(model_type, cutoff))
    return build_potential(model_type, config, elements, **how)
