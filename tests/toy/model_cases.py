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
    "TOY": Case(ToyModel, {"cutoff": CUTOFF}),  # a model without kernels
    "TOY+ZBL": Case(ToyModel, {"cutoff": CUTOFF}, _REPULSION),
}
