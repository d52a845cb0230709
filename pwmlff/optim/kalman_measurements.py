"""What a Kalman filter measures on a batch: scalars made of many labels.

The signs of the residuals are taken into the measurement, so that all of them count upwards (RLEKF). For each quantity,
with N the atoms of a frame, <> the mean over what the measurement takes of the frame and s the sign of
(label - prediction):

    h = sum_frames s pref E / N            r = sum_frames pref |E* - E| / N
    h = sum_frames <s pref F> / N          r = sum_frames <pref |F* - F|> / N        some atoms, three components
    h = sum_frames <s pref V> / N          r = sum_frames <pref |V* - V|> / N        xx, xy, xz, yy, yz, zz
    h = sum_frames <s pref e>              r = sum_frames <pref |e* - e|>            atomic energies, group energies

The forces' 1 / N is PWMLFF's and makes them count little in large frames; it can be left out. PWMLFF adds the six
components up in h and takes their mean in r, so that a step mends a sixth of a virial and says that all of it is known.
The filter is given dh/dw and the residual sqrt(m) r / m for m frames: the mean error times the root of their number,
while h is their sum. For one frame this is the exact residual of h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pwmlff.data.batch import Batch
from pwmlff.models.derivatives import Prediction
from pwmlff.models.group_energies import group_energies

_SIX = ((0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2))  # rows and columns of the virial's components


@dataclass(frozen=True)
class Measurement:
    """One scalar measurement of each frame.

    Attributes:
        value: The sum of h over the frames, a scalar with a graph; what is predicted of a frame appears in its h alone.
        sums: [F, 2] float64, r and the number of frames m of each frame, 0 or 1; they add up over frames.
    """

    value: Tensor
    sums: Tensor


@dataclass(frozen=True)
class Kind:
    """A quantity that is measured, and what a prediction must hold for it."""

    measure: Callable[[Prediction, Batch], Measurement]
    forces: bool = False
    virial: bool = False
    groups: bool = False

    @property
    def by_gradients(self) -> bool:
        """Whether it depends on the pair gradients, not on energies alone."""
        return self.forces or self.virial


def energy_kind(prefactor: float) -> Kind:
    """Measure total energies per atom, weighted with the prefactor."""

    def measure(prediction: Prediction, batch: Batch) -> Measurement:
        weight = prefactor * batch.has_energy.to(torch.float64) / batch.n_atoms
        return _measured(prediction.energy, batch.energy, weight, batch.has_energy, _every_frame(batch))

    return Kind(measure)


def virial_kind(prefactor: float) -> Kind:
    """Measure the mean of the six components of virials per atom."""

    def measure(prediction: Prediction, batch: Batch) -> Measurement:
        assert prediction.virial is not None
        weight = (prefactor * batch.has_virial.to(torch.float64) / (len(_SIX[0]) * batch.n_atoms)).unsqueeze(1)
        predicted, label = (v[:, _SIX[0], _SIX[1]] for v in (prediction.virial, batch.virial))  # [F, 6]
        return _measured(predicted, label, weight, batch.has_virial, _every_frame(batch))

    return Kind(measure, virial=True)


def atomic_energies_kind(prefactor: float) -> Kind:
    """Measure the mean over the atoms of a frame."""

    def measure(prediction: Prediction, batch: Batch) -> Measurement:
        return _measured_per_atom(prediction.atomic_energies, batch.atomic_energies, prefactor, batch)

    return Kind(measure)


def group_energies_kind(prefactor: float) -> Kind:
    """Measure the mean over the atoms of a frame."""

    def measure(prediction: Prediction, batch: Batch) -> Measurement:
        assert prediction.group_energies is not None
        label = group_energies(batch.atomic_energies, batch)
        return _measured_per_atom(prediction.group_energies, label, prefactor, batch)

    return Kind(measure, groups=True)


def forces_kind(prefactor: float, group: int, draw: ForceDraw, n_steps: int, *, per_atom: bool) -> Kind:
    """Measure the forces on one group of the atoms drawn at a step, divided by N or not."""

    def measure(prediction: Prediction, batch: Batch) -> Measurement:
        assert prediction.forces is not None
        atoms = draw.atoms(batch, n_steps)[group]  # [n]
        frames = batch.atom_frame[atoms]
        n_drawn = torch.bincount(frames, minlength=batch.n_frames)  # [F]
        is_measured = batch.has_forces & (n_drawn > 0)
        per_frame = prefactor * is_measured.to(torch.float64) / (3 * n_drawn.clamp(min=1))
        if per_atom:
            per_frame = per_frame / batch.n_atoms
        weight = per_frame[frames].unsqueeze(1)
        return _measured(prediction.forces[atoms], batch.forces[atoms], weight, is_measured, frames)

    return Kind(measure, forces=True)


@dataclass(frozen=True)
class ForceDraw:
    """Which atoms of each frame are measured, in groups; a function of frame and step alone.

    Attributes:
        n_atoms: Drawn per frame; 0 for all.
        n_groups: They are split into this many groups.
        replacement: Whether an atom can be drawn more than once, as in PWMLFF.
    """

    n_atoms: int
    n_groups: int
    replacement: bool

    def atoms(self, batch: Batch, n_steps: int) -> list[Tensor]:
        """Return the atoms of each group, as indices in the batch."""
        nothing = np.zeros(0, dtype=np.int64)  # a process may have no frame
        groups: list[list[np.ndarray]] = [[nothing] for _ in range(self.n_groups)]
        starts = batch.frame_start.tolist()
        for frame, code in enumerate(batch.codes):
            n = starts[frame + 1] - starts[frame]
            generator = np.random.default_rng([n_steps, code])
            drawn = (
                generator.integers(n, size=self.n_atoms or n)
                if self.replacement
                else generator.permutation(n)[: self.n_atoms or n]
            )
            for group, members in zip(groups, np.array_split(drawn, self.n_groups), strict=True):
                group.append(starts[frame] + members)
        device = batch.frame_start.device
        return [torch.from_numpy(np.concatenate(group)).to(device) for group in groups]


def _every_frame(batch: Batch) -> Tensor:
    return torch.arange(batch.n_frames, device=batch.frame_start.device)


def _measured_per_atom(predicted: Tensor, label: Tensor, prefactor: float, batch: Batch) -> Measurement:
    frames = batch.atom_frame
    weight = (prefactor * batch.has_atomic_energies.to(torch.float64) / batch.n_atoms)[frames]
    return _measured(predicted, label, weight, batch.has_atomic_energies, frames)


def _measured(predicted: Tensor, label: Tensor, weight: Tensor, mask: Tensor, frames: Tensor) -> Measurement:
    """Return the measurement of numbers whose first index is of frames [n]; `mask` [F] tells the frames that count."""
    error = label - predicted.detach()
    value = (error.sign() * weight * predicted).sum()
    residual = (weight * error.abs()).flatten(1).sum(1) if error.dim() > 1 else weight * error.abs()
    counts = mask.to(residual.dtype)
    return Measurement(value, torch.stack([torch.zeros_like(counts).index_add(0, frames, residual), counts], dim=1))
