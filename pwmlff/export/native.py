"""The part of an exported model that runs without torch: what the native kernels need to know of a Deep Potential.

It stands under `native` in `metadata.json`, which the digest covers. The numbers are not written again: for each tensor
it names the entry of the TorchScript archive that holds it (stored as it is, C order, little-endian).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TypedDict

import torch
from torch import Tensor

from pwmlff.models.dp.native import NativeDeepPotential
from pwmlff.models.inference import PotentialInference


class StoredTensor(TypedDict):
    """A tensor in the archive."""

    record: str  # path below the archive's folder
    dtype: str  # float32, float64 or int64
    shape: list[int]


class Repulsion(TypedDict):
    """The short-range repulsion of `pwmlff.models.zbl`; the nuclear charges are one of the tensors."""

    inner: float  # Å
    outer: float  # Å
    strength: float  # of two unit charges, eV Å


class NativeForm(TypedDict):
    """Content of `native`; the names are those of `pwmlff.ops.DpModel`."""

    tensors: dict[str, StoredTensor]  # all parameters and buffers
    has_double_nets: bool
    embedding_widths: list[int]
    fitting_widths: list[int]
    embedding_activation: int
    fitting_activation: int
    inner: float
    outer: float
    n_neighbors: float
    dx: float
    n_axis: int
    has_double_geometry: bool
    repulsion: Repulsion | None


def native_form(module: PotentialInference, archive: Path | IO[bytes]) -> NativeForm | None:
    """Describe a model for the native kernels.

    Args:
        module: The model.
        archive: The same model as TorchScript, for the places of its tensors.

    Returns:
        None for a model that is no Deep Potential: only torch runs it.
    """
    network = module.network
    if not isinstance(network, NativeDeepPotential):
        return None
    return {
        "tensors": stored_tensors(dict(module.named_buffers()), archive),
        "has_double_nets": network.fitting.dtype == torch.float64,
        "embedding_widths": network.embedding_widths,
        "fitting_widths": network.fitting_widths,
        "embedding_activation": network.embedding_activation,
        "fitting_activation": network.fitting_activation,
        "inner": network.inner,
        "outer": network.outer,
        "n_neighbors": network.n_neighbors,
        "dx": network.dx,
        "n_axis": network.n_axis,
        "has_double_geometry": network.has_double_geometry,
        "repulsion": _repulsion(module),
    }


def _repulsion(module: PotentialInference) -> Repulsion | None:
    for repulsion in module.repulsion:
        zbl = repulsion.module
        return {"inner": zbl.inner, "outer": zbl.outer, "strength": zbl.strength}
    return None


def stored_tensors(tensors: Mapping[str, Tensor], archive: Path | IO[bytes]) -> dict[str, StoredTensor]:
    """Find tensors in a TorchScript archive by their bytes; of equal ones any will do.

    Raises:
        KeyError: A tensor is not there.
    """
    with zipfile.ZipFile(archive) as opened:
        paths = {name: name.partition("/")[2] for name in opened.namelist()}
        records = {opened.read(name): path for name, path in paths.items() if path.startswith("data/")}
    return {
        name: {
            "record": records[tensor.numpy().tobytes()],
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
        }
        for name, tensor in tensors.items()
    }
