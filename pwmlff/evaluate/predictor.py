"""What evaluation asks of a model, whether it is a checkpoint or the file exported for LAMMPS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from pwmlff.data.batch import Batch
from pwmlff.evaluate.notices import overflow_notices
from pwmlff.models.derivatives import Prediction, forces_from_gradients, virial_from_gradients
from pwmlff.models.inference import PotentialInference
from pwmlff.models.potential import Potential

if TYPE_CHECKING:
    from pwmlff.export.torchscript import ExportedFile


@dataclass(frozen=True)
class Predictor:
    """A model ready to predict.

    Attributes:
        elements: Symbols in type order.
        cutoff: Å.
        device: Where batches have to be.
        module: Called as `PotentialInference.forward` is.
    """

    elements: list[str]
    cutoff: float
    device: torch.device
    module: nn.Module

    @classmethod
    def of_potential(cls, potential: Potential) -> Predictor:
        """Predict with the present weights of a potential, on the device it is on."""
        device = potential.get_buffer("energy_shift").device
        return cls(potential.elements, potential.cutoff, device, PotentialInference(potential))

    @classmethod
    def of_exported(cls, exported: ExportedFile, device: torch.device) -> Predictor:
        """Predict with an exported model, moved to a device."""
        metadata = exported.metadata
        return cls(list(metadata.elements), metadata.cutoff, device, exported.module.to(device))

    def predict(self, batch: Batch) -> Prediction:
        """Return energies, forces and virials of a batch."""
        with torch.enable_grad():  # a caller's `no_grad` would make all forces zero
            atomic_energies, gradients = self.module(
                batch.pair_vectors, batch.pair_start, batch.pair_types, batch.atom_types
            )
        return Prediction(
            energy=torch.zeros_like(batch.energy).index_add(0, batch.atom_frame, atomic_energies),
            atomic_energies=atomic_energies,
            forces=forces_from_gradients(gradients, batch),
            virial=virial_from_gradients(gradients, batch),
        )

    def notices(self) -> list[str]:
        """Say what was conspicuous in all predictions so far: distances that the model's tables were not made for."""
        return overflow_notices(self.module)
