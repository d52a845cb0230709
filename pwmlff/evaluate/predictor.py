"""What evaluation asks of a model, whether it is a checkpoint or the file exported for LAMMPS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pwmlff.data.batch import Batch
from pwmlff.models.derivatives import Prediction, forces_from_gradients, predict, virial_from_gradients
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
        predict: Energies, forces and virials of a batch.
    """

    elements: list[str]
    cutoff: float
    device: torch.device
    predict: Callable[[Batch], Prediction]

    @classmethod
    def of_potential(cls, potential: Potential) -> Predictor:
        """Predict with a potential, on the device it is on."""
        return cls(
            potential.elements,
            potential.cutoff,
            potential.get_buffer("energy_shift").device,
            lambda batch: predict(potential, batch),
        )

    @classmethod
    def of_exported(cls, exported: ExportedFile, device: torch.device) -> Predictor:
        """Predict with an exported model, moved to a device."""
        module = exported.module.to(device)

        def predict_exported(batch: Batch) -> Prediction:
            atomic_energies, gradients = module(
                batch.pair_vectors, batch.pair_start, batch.pair_types, batch.atom_types
            )
            return Prediction(
                energy=torch.zeros_like(batch.energy).index_add(0, batch.atom_frame, atomic_energies),
                atomic_energies=atomic_energies,
                forces=forces_from_gradients(gradients, batch),
                virial=virial_from_gradients(gradients, batch),
            )

        return cls(list(exported.metadata.elements), exported.metadata.cutoff, device, predict_exported)
