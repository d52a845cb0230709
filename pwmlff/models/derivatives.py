"""Energies, forces and virials of any model, from the derivatives of its atomic energies.

With `r_ij = r_j - r_i` and `g_ij = dE/dr_ij`:

    F_i += g_ij,  F_j -= g_ij        W = -sum_ij r_ij (x) g_ij

Letters: `F` frames, `N` atoms, `E` pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pwmlff.models.group_energies import group_energies
from pwmlff.ops import pair_forces, pair_virials

if TYPE_CHECKING:
    from pwmlff.data.batch import Batch
    from pwmlff.models.potential import Potential


@dataclass(frozen=True)
class Prediction:
    """What a potential says of a batch, all float64."""

    energy: Tensor  # [F] eV
    atomic_energies: Tensor  # [N] eV
    forces: Tensor | None  # [N, 3] eV/Å
    virial: Tensor | None  # [F, 3, 3] eV
    group_energies: Tensor | None = None  # [N] eV


def predict(
    potential: Potential,
    batch: Batch,
    *,
    forces: bool = True,
    virial: bool = True,
    groups: bool = False,
    create_graph: bool = False,
) -> Prediction:
    """Evaluate a potential.

    Args:
        potential: The model.
        batch: The structures.
        forces: Whether forces are wanted.
        virial: Whether virials are wanted.
        groups: Whether group energies are wanted.
        create_graph: Whether the result will be differentiated by the weights, as in training.
    """
    gradients: Tensor | None = None
    if forces or virial or potential.network.has_kernels:
        atomic_energies, gradients = potential.energies_and_gradients(*batch.pairs, differentiable=create_graph)
    else:
        with torch.set_grad_enabled(create_graph):
            atomic_energies = potential(*batch.pairs)
    with torch.set_grad_enabled(create_graph):
        return predict_from(atomic_energies, gradients, batch, forces=forces, virial=virial, groups=groups)


def predict_from(
    atomic_energies: Tensor,
    gradients: Tensor | None,
    batch: Batch,
    *,
    forces: bool = True,
    virial: bool = True,
    groups: bool = False,
) -> Prediction:
    """Return what atomic energies [N] and pair gradients [E, 3] say of a batch; other arguments as in `predict`."""
    return Prediction(
        energy=torch.zeros_like(batch.energy).index_add(0, batch.atom_frame, atomic_energies),
        atomic_energies=atomic_energies,
        forces=forces_from_gradients(gradients, batch) if forces and gradients is not None else None,
        virial=virial_from_gradients(gradients, batch) if virial and gradients is not None else None,
        group_energies=group_energies(atomic_energies, batch) if groups else None,
    )


def forces_from_gradients(gradients: Tensor, batch: Batch) -> Tensor:
    """Sum pair gradients [E, 3] to forces [N, 3]."""
    return pair_forces(gradients, batch.pair_start, batch.pair_neighbors, batch.frame_start)


def virial_from_gradients(gradients: Tensor, batch: Batch) -> Tensor:
    """Sum pair gradients [E, 3] to virials [F, 3, 3]."""
    return pair_virials(gradients, batch.pair_vectors, batch.pair_start, batch.frame_start)
