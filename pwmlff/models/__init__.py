"""Models: functions from neighbour vectors to atomic energies.

`MODELS` names those that can be trained. A new model is a folder beside this file and one row here.
"""

from __future__ import annotations

from collections.abc import Sequence

from pwmlff.models.base import DTYPES, Network, NetworkConfig
from pwmlff.models.bp import BehlerParrinello
from pwmlff.models.derivatives import Prediction, predict
from pwmlff.models.dp import CompressedDeepPotential, DeepPotential, TypeEmbeddingDeepPotential
from pwmlff.models.nep import NEP, CompressedNEP
from pwmlff.models.potential import Potential
from pwmlff.models.zbl import ZBLConfig

MODELS: dict[str, type[Network]] = {
    "DP": DeepPotential,
    "DP_TYPE_EMBEDDING": TypeEmbeddingDeepPotential,
    "NEP": NEP,
    "NN": BehlerParrinello,
}
# made from a trained model, for inference
DERIVED_MODELS: dict[str, type[Network]] = {
    "DP_COMPRESSED": CompressedDeepPotential,
    "NEP_COMPRESSED": CompressedNEP,
}


def known_models() -> dict[str, type[Network]]:
    """Return every network that a checkpoint or an exported file may hold, by name."""
    return {**MODELS, **DERIVED_MODELS}


def name_of(network: Network) -> str:
    """Return the key of a network in `known_models()`, or its class name when it has none."""
    return next((key for key, row in known_models().items() if row is type(network)), type(network).__name__)


def build_potential(
    model_type: str,
    config: NetworkConfig,
    elements: Sequence[str],
    dtype: str = "float64",
    zbl: ZBLConfig | None = None,
) -> Potential:
    """Build an untrained potential; weights are drawn from torch's global generator.

    Args:
        model_type: A key of `known_models()`.
        config: An instance of that model's `Config`.
        elements: Symbols in type order.
        dtype: Of the weights, a key of `DTYPES`; geometry and sums stay float64.
        zbl: Range of the short-range repulsion; None for none.
    """
    network = known_models()[model_type].from_config(config, elements, DTYPES[dtype])
    network.config = config
    return Potential(network, elements, zbl)


__all__ = [
    "DERIVED_MODELS",
    "DTYPES",
    "MODELS",
    "Network",
    "NetworkConfig",
    "Potential",
    "Prediction",
    "ZBLConfig",
    "build_potential",
    "known_models",
    "name_of",
    "predict",
]
