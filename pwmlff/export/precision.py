"""In which precision an exported model computes; energies, forces and virials come out in float64 always."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from pwmlff.errors import ModelFileError, did_you_mean
from pwmlff.models import Potential
from pwmlff.models.base import network_dtype


@dataclass(frozen=True)
class Precision:
    """A choice of `pwmlff export --dtype`.

    Attributes:
        network: Of weights, tables and the arithmetic of the nets.
        geometry: Of distances and of sums over neighbours, in models that have native kernels.
        tolerance: By which results may differ from those of the source model, in eV and eV/Å relative to the largest.
    """

    network: torch.dtype
    geometry: torch.dtype
    tolerance: float


PRECISIONS = {
    "float64": Precision(torch.float64, torch.float64, 1e-9),
    "mixed": Precision(torch.float32, torch.float64, 1e-4),
    "float32": Precision(torch.float32, torch.float32, 1e-3),
}


def choose_precision(potential: Potential, name: str | None) -> str:
    """Return the key of `PRECISIONS` to export in: the one asked for, otherwise that of the training.

    Raises:
        ModelFileError: There is no such precision.
    """
    if name is None:
        return "float64" if network_dtype(potential.network) == torch.float64 else "mixed"
    if name not in PRECISIONS:
        raise ModelFileError(f"dtype '{name}' is unknown; {did_you_mean(name, PRECISIONS)}")
    return name


def in_precision(potential: Potential, name: str) -> Potential:
    """Return a copy on the CPU with the network in another precision; what is float64 by design stays so.

    Args:
        potential: The model.
        name: A key of `PRECISIONS`.

    Raises:
        ModelFileError: The network would have to be built anew and its configuration is not known.
    """
    dtype, network = PRECISIONS[name].network, potential.network
    if network_dtype(network) == dtype:
        return copy.deepcopy(potential).cpu()
    if network.config is None:
        raise ModelFileError(
            f"the configuration of this {type(network).__name__} is not known, so it cannot be exported as {name}; "
            "export its checkpoint"
        )
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced at once
        new = (
            copy.deepcopy(potential).cpu().with_network(network.from_config(network.config, potential.elements, dtype))
        )
    new.load_state_dict(potential.state_dict())
    return new
