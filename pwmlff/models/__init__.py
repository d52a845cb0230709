"""Models: functions from neighbour vectors to atomic energies.

`MODELS` names them all. A new model is a descriptor file, a model file and one row here.
"""

from __future__ import annotations

from collections.abc import Sequence

from pwmlff.models.base import DTYPES, Network, NetworkConfig
from pwmlff.models.derivatives import Prediction, predict
from pwmlff.models.dp import DeepPotential, TypeEmbeddingDeepPotential
from pwmlff.models.potential import Potential
from pwmlff.models.zbl import ZBLConfig

MODELS: dict[str, type[Network]] = {
    "DP": DeepPotential,
    "DP_TYPE_EMBEDDING": TypeEmbeddingDeepPotential,
}


def build_potential(
    model_type: str,
    config: NetworkConfig,
    elements: Sequence[str],
    dtype: str = "float64",
    zbl: ZBLConfig | None = None,
) -> Potential:
    """Build an untrained potential; weights are drawn from torch's global generator.

    Args:
        model_type: A key of `MODELS`.
        config: An instance of that model's `Config`.
        elements: Symbols in type order.
        dtype: Of the weights, a key of `DTYPES`; geometry and sums stay float64.
        zbl: Range of the short-range repulsion; None for none.
    """
    return Potential(MODELS[model_type].from_config(config, elements, DTYPES[dtype]), elements, zbl)


__all__ = [
    "DTYPES",
    "MODELS",
    "Network",
    "NetworkConfig",
    "Potential",
    "Prediction",
    "ZBLConfig",
    "build_potential",
    "predict",
]
