"""The models under the contract suite: every row of MODELS, what is derived from it, and a toy added as a user would.

A new model gets a row here, small enough that an evaluation takes milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toy_model import ToyModel

from pwmlff.models import MODELS, Network, ZBLConfig

ELEMENTS = ("Cu", "Au")
CUTOFF = 4.5
_DP = {
    "descriptor": {"Rmax": CUTOFF, "Rmin": 1.0, "M2": 4, "network_size": [6, 12, 12]},
    "fitting_net": {"network_size": [10, 10, 1]},
}
_NEP = {
    "descriptor": {"cutoff": [CUTOFF, 4.0], "n_max": [3, 2], "basis_size": [4, 3], "l_max": [4, 2, 1, 1, 1, 1, 1]},
    "fitting_net": {"network_size": 10},
    "start": "gpumd",  # large weights, whose effects are seen
}
_NN = {
    "descriptor": {
        "cutoff_function": "poly2",
        "normalization": "none",  # of functions that are far from 1 here
        "functions": [
            {"type": "G1", "cutoff": CUTOFF, "factor": 0.2},
            {"type": "G2", "neighbors": ["Cu"], "cutoff": CUTOFF, "eta": 0.5, "r_s": 2.5},
            {"type": "G2", "neighbors": ["Au"], "cutoff": CUTOFF, "eta": 1.0, "r_s": 2.0},
            {"type": "G3", "central": "Au", "weights": "Z", "cutoff": 4.0, "kappa": 2.0, "factor": 0.01},
            {"type": "G4", "cutoff": CUTOFF, "eta": 0.05, "lambda": -1, "zeta": 2},
            {
                "type": "G5",
                "central": "Cu",
                "neighbors": ["Cu", "Au"],
                "cutoff": 4.2,
                "eta": 0.1,
                "lambda": 1,
                "zeta": 1,
            },
            {
                "type": "G5",
                "weights": "Z",
                "cutoff": CUTOFF,
                "eta": 0.05,
                "r_s": 0.5,
                "lambda": 1,
                "zeta": 4.5,
                "factor": 1e-3,
            },
        ],
    },
    "fitting_net": {"network_size": {"Cu": [6, 5, 1], "Au": [4, 3, 1]}, "activation": ["tanh", "softplus"]},
}
_NN_PIECES = {
    "descriptor": {
        "normalization": "none",
        "functions": [
            {"type": "piece", "neighbors": ["Cu"], "centers": [2.4], "half_widths": [2.1], "factor": 0.2},
            {"type": "piece", "neighbors": ["Au"], "centers": [2.2], "half_widths": [2.3], "factor": 0.2},
            {
                "type": "triple",
                "neighbors": ["Cu", "Au"],
                "centers": [2.1, 2.5, 4.0],
                "half_widths": [2.4, 2.0, 5.2],
                "factor": 0.05,
            },
            {
                "type": "triple",
                "neighbors": ["Au", "Au"],
                "centers": [2.0, 2.5, 3.6],
                "half_widths": [2.5, 2.0, 5.5],
                "factor": 0.05,
            },
        ],
    },
    "fitting_net": {"network_size": [6]},
}
_REPULSION = ZBLConfig(inner=1.5, outer=3.0)  # reaches the neighbours in the suite's structures


@dataclass(frozen=True)
class Case:
    """A model under test."""

    network: type[Network]
    config: dict[str, Any]
    zbl: ZBLConfig | None = None
    table: tuple[float, Any] | None = None  # dx and order of tables


CASES: dict[str, Case] = {
    "DP": Case(MODELS["DP"], _DP),
    "DP+ZBL": Case(MODELS["DP"], _DP, _REPULSION),
    "DP+ZBL+tables": Case(MODELS["DP"], _DP, _REPULSION, (0.02, 3)),
    "DP_TYPE_EMBEDDING": Case(MODELS["DP_TYPE_EMBEDDING"], _DP),
    "DP_TYPE_EMBEDDING+tables": Case(MODELS["DP_TYPE_EMBEDDING"], _DP, table=(0.05, 5)),
    "NEP": Case(MODELS["NEP"], _NEP),
    "NEP+tables": Case(MODELS["NEP"], _NEP, table=(0.05, 5)),
    "NEP+ZBL": Case(MODELS["NEP"], {"version": 3, "descriptor": {"cutoff": [CUTOFF, 4.2, 4.0, 3.5]}}, _REPULSION),
    "NN": Case(MODELS["NN"], _NN),
    "NN+ZBL": Case(MODELS["NN"], _NN, _REPULSION),
    "NN+pieces": Case(MODELS["NN"], _NN_PIECES),
    "TOY": Case(ToyModel, {"cutoff": CUTOFF}),  # a model without kernels
    "TOY+ZBL": Case(ToyModel, {"cutoff": CUTOFF}, _REPULSION),
}
