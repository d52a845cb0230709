"""The one contract: a model is a function from neighbour vectors to atomic energies.

A new model is a descriptor file, a model file holding a `Network` with its configuration, and one row in
`pwmlff.models.MODELS`. Forces, virials, energy shifts, short-range repulsion, training and export are common code.

Letters: `N` atoms, `E` directed pairs i -> j, `T` types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from pwmlff.models.inference import AutogradInference
from pwmlff.models.run_file import RunFileHooks

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch

DTYPES = {"float64": torch.float64, "float32": torch.float32}


class NetworkConfig(BaseModel):
    """Base of the `model` section of each model: unknown keys are errors, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(nn.Module):
    """What the author of a model writes.

    Attributes:
        Config: Class of its configuration, the `model` section of the input file.
        RunFile: What else it says about its input file: keys, translations, checks.
        cutoff: Å; pairs at or beyond it have no influence.
    """

    if TYPE_CHECKING:  # TorchScript would try to read these annotations
        Config: ClassVar[type[NetworkConfig]]
        RunFile: ClassVar[type[RunFileHooks]] = RunFileHooks
        cutoff: float
    else:
        RunFile = RunFileHooks

    @classmethod
    def from_config(cls, config: Any, elements: Sequence[str], dtype: torch.dtype) -> Network:
        """Build an untrained network; weights are drawn from torch's global generator.

        Args:
            config: An instance of `cls.Config`.
            elements: Symbols in type order.
            dtype: Of the weights; geometry and sums stay float64.
        """
        raise NotImplementedError

    def inference_form(self, geometry: torch.dtype = torch.float64) -> nn.Module:
        """Return a module that gives atomic energies and pair gradients at once, with the present weights.

        A network with a native kernel for this returns a form of its own.

        Args:
            geometry: Precision of distances and of sums over neighbours; here always float64.
        """
        return AutogradInference(self)

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set normalising constants from one pass over all training frames."""

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        """Return atomic energies [N] in eV, without the energy shift.

        Args:
            pair_vectors: [E, 3] float64, Å, r_j - r_i.
            pair_start: [N + 1] int64, CSR offsets of the pairs of each atom.
            pair_types: [E] int64, type of j.
            atom_types: [N] int64, type of i.
        """
        raise NotImplementedError
