"""Errors of a prediction, summed over labels, and the loss built from these sums.

The loss is that of PWMLFF, a weighted sum of mean squared errors:

    L = w_E <(E - E*)^2 / N> + w_F <(F - F*)^2> + w_V <(V - V*)^2 / N> + w_A <(e - e*)^2> + w_G <(g - g*)^2>

`< >` is the mean over labelled frames (energy), components of labelled forces and virials, or labelled atoms (atomic
and group energies);
`N` is the number of atoms of the frame. A label that a frame lacks counts neither above nor below the line.

Sums and counts, never means, travel: they add up over batches and over processes, and means come last. The same
sums give the loss (with its graph) and the errors shown to the user, so one forward pass serves both. They may be kept
apart by frame, for those who weigh frames or leave some out.

Letters: `F` frames, `N` atoms, `Q` quantities (the rows of `QUANTITIES`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pwmlff import keys
from pwmlff.data.batch import Batch
from pwmlff.models.derivatives import Prediction
from pwmlff.models.group_energies import group_energies

QUANTITIES = (keys.ENERGY, keys.FORCES, keys.VIRIAL, keys.ATOMIC_ENERGIES, keys.GROUP_ENERGIES)
N_COLUMNS = 5
LOSS_SQUARES, SQUARES, ABSOLUTE, SIGNED, COUNT = range(N_COLUMNS)  # of ErrorSums.values


@dataclass(frozen=True)
class LossWeights:
    """Weight of each quantity in the loss; zero where it is not trained.

    Attributes:
        energy: w_E, 1/eV^2.
        forces: w_F, Å^2/eV^2.
        virial: w_V, 1/eV^2.
        atomic_energies: w_A, 1/eV^2.
        group_energies: w_G, 1/eV^2.
    """

    energy: float = 0.0
    forces: float = 0.0
    virial: float = 0.0
    atomic_energies: float = 0.0
    group_energies: float = 0.0

    def as_tuple(self) -> tuple[float, ...]:
        """Return the weights in the order of `QUANTITIES`."""
        return tuple(getattr(self, name) for name in QUANTITIES)

    @property
    def quantities(self) -> list[str]:
        """Names of the quantities that have a weight."""
        return [name for name in QUANTITIES if getattr(self, name) > 0]

    @property
    def predicted(self) -> dict[str, bool]:
        """Arguments of `predict` for what these weights need."""
        return {"forces": self.forces > 0, "virial": self.virial > 0, "groups": self.group_energies > 0}


@dataclass(frozen=True)
class ErrorSums:
    """Sums over the labels of some frames, ready to be added to those of others.

    Attributes:
        values: [Q, 5] float64, or [..., F, Q, 5] by frame; columns: squares as they enter the loss; squares, absolute
            values and signed values of the error as shown (prediction minus label, energy and virial per atom); number
            of labels.
    """

    values: Tensor

    @classmethod
    def zero(cls, device: torch.device | str = "cpu") -> ErrorSums:
        """Return the sums over no frame."""
        return cls(torch.zeros(len(QUANTITIES), N_COLUMNS, dtype=torch.float64, device=device))

    @classmethod
    def restored(cls, values: Tensor) -> ErrorSums:
        """Take back the values [Q, 5] of a file; older ones lack the signed errors."""
        if values.shape[-1] < N_COLUMNS:
            values = torch.cat([values[:, :SIGNED], torch.zeros_like(values[:, :1]), values[:, SIGNED:]], dim=1)
        return cls(values)

    def __add__(self, other: ErrorSums) -> ErrorSums:
        """Add the sums of two disjoint sets of frames."""
        return ErrorSums(self.values + other.values)

    def detached(self) -> ErrorSums:
        """Return the numbers without their graph."""
        return ErrorSums(self.values.detach())

    @property
    def counts(self) -> Tensor:
        """[Q] number of labels."""
        return self.values[..., COUNT].detach()

    def loss(self, weights: LossWeights, counts: Tensor | None = None) -> Tensor:
        """Return the loss of all frames summed here, a scalar with a graph if the sums have one.

        Args:
            weights: Of the quantities.
            counts: [Q] labels of a larger set, of whose loss this is then the part of these frames; None for theirs.
        """
        weight = torch.tensor(weights.as_tuple(), dtype=torch.float64, device=self.values.device)
        means = self.values[:, LOSS_SQUARES] / (self.counts if counts is None else counts).clamp(min=1.0)
        # a quantity that is not trained may have been left out of the prediction
        return (weight * means).sum()

    def rmse(self) -> dict[str, float]:
        """Return the root mean square error of each quantity that has labels: eV/atom, eV/Å, eV/atom, eV, eV."""
        return {name: (row[SQUARES] / row[COUNT]) ** 0.5 for name, row in self._rows()}

    def mae(self) -> dict[str, float]:
        """Return the mean absolute error of each quantity that has labels: eV/atom, eV/Å, eV/atom, eV, eV."""
        return {name: row[ABSOLUTE] / row[COUNT] for name, row in self._rows()}

    def _rows(self) -> list[tuple[str, list[float]]]:
        rows = zip(QUANTITIES, self.values.tolist(), strict=True)
        return [(name, row) for name, row in rows if row[COUNT] > 0]


def sum_errors(prediction: Prediction, batch: Batch, *, per_frame: bool = False) -> ErrorSums:
    """Compare a prediction with the labels of its frames.

    Args:
        prediction: Energies, and what was asked for besides; the rest is None. Where frames have their own sums, there
            may be one more dimension in front, of several candidates.
        batch: The frames with labels and masks.
        per_frame: Whether each frame has its own sums.
    """
    n_atoms = batch.n_atoms.to(torch.float64)
    has_energy = batch.has_energy.to(torch.float64)  # [F]
    by_frame = _Sums(torch.arange(batch.n_frames, device=n_atoms.device) if per_frame else None, batch.n_frames)
    by_atom = _Sums(batch.atom_frame if per_frame else None, batch.n_frames)
    energy = (prediction.energy - batch.energy) * has_energy
    rows = [by_frame.row(energy / n_atoms.sqrt(), energy / n_atoms, has_energy)]
    nothing = torch.zeros_like(rows[0].detach())
    rows.append(nothing if prediction.forces is None else _force_row(prediction.forces, batch, by_atom))
    rows.append(nothing if prediction.virial is None else _virial_row(prediction.virial, batch, n_atoms, by_frame))
    has_atomic = batch.has_atomic_energies.to(torch.float64)[batch.atom_frame]  # [N]
    atomic = (prediction.atomic_energies - batch.atomic_energies) * has_atomic
    rows.append(by_atom.row(atomic, atomic, has_atomic))
    if prediction.group_energies is None:
        rows.append(nothing)
    else:
        groups = (prediction.group_energies - group_energies(batch.atomic_energies, batch)) * has_atomic
        rows.append(by_atom.row(groups, groups, has_atomic))
    return ErrorSums(torch.stack(rows, dim=-2))


def _force_row(forces: Tensor, batch: Batch, sums: _Sums) -> Tensor:
    has_forces = batch.has_forces.to(torch.float64)[batch.atom_frame]  # [N]
    error = (forces - batch.forces) * has_forces.unsqueeze(1)  # [..., N, 3]
    return sums.row(error, error, has_forces, n_components=3)


def _virial_row(virial: Tensor, batch: Batch, n_atoms: Tensor, sums: _Sums) -> Tensor:
    has_virial = batch.has_virial.to(torch.float64)  # [F]
    error = ((virial - batch.virial) * has_virial[:, None, None]).flatten(-2)  # [..., F, 9]
    per_atom = n_atoms[:, None]
    return sums.row(error / per_atom.sqrt(), error / per_atom, has_virial, n_components=9)


@dataclass(frozen=True)
class _Sums:
    """How errors are added up.

    Attributes:
        frames: [n] frame of each error; None to add all.
        n_frames: F.
    """

    frames: Tensor | None
    n_frames: int

    def row(self, in_loss: Tensor, shown: Tensor, is_labelled: Tensor, n_components: int = 1) -> Tensor:
        """Return the columns of a quantity, [5] or, of P candidates or one, [..., F, 5].

        Args:
            in_loss: [..., n] or [..., n, c] errors as they enter the loss.
            shown: The same as they are shown.
            is_labelled: [n] 1 or 0.
            n_components: c.
        """
        shown = shown.detach()
        columns = (in_loss.square(), shown.square(), shown.abs(), shown)
        errors = [self._added(column.sum(-1) if self._has_parts(n_components) else column) for column in columns]
        count = (n_components * self._added(is_labelled)).expand_as(errors[0])
        return torch.stack([*errors, count], dim=-1)

    def _has_parts(self, n_components: int) -> bool:
        return self.frames is not None and n_components > 1

    def _added(self, errors: Tensor) -> Tensor:
        if self.frames is None:
            return errors.sum()
        return errors.new_zeros(*errors.shape[:-1], self.n_frames).index_add(-1, self.frames, errors)
