"""What the Kalman filter measures, against the formulas written out frame by frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import Potential, Prediction, predict
from pwmlff.models.group_energies import group_energies
from pwmlff.optim.kalman_measurements import (
    ForceDraw,
    Measurement,
    atomic_energies_kind,
    energy_kind,
    forces_kind,
    group_energies_kind,
    virial_kind,
)

ALL = ForceDraw(0, 1, replacement=False)


@pytest.fixture
def prediction(make_potential: Callable[[], Potential], cu_batch: Batch) -> Prediction:
    return predict(make_potential(), cu_batch, create_graph=True)


def _assert_measured(measurement: Measurement, value: torch.Tensor, residual: torch.Tensor, n_frames: int) -> None:
    torch.testing.assert_close(measurement.value.detach(), value.detach())
    torch.testing.assert_close(measurement.sums.sum(0), torch.stack([residual.detach(), residual.new_tensor(n_frames)]))


def test_energy(prediction: Prediction, cu_batch: Batch) -> None:
    error = cu_batch.energy - prediction.energy.detach()
    value = (3.0 * error.sign() * prediction.energy / 32).sum()
    measurement = energy_kind(3.0).measure(prediction, cu_batch)
    _assert_measured(measurement, value, 3.0 * error.abs().sum() / 32, 2)
    # all residuals count upwards: h lacks exactly r
    label = (3.0 * error.sign() * cu_batch.energy / 32).sum()
    torch.testing.assert_close(label - measurement.value.detach(), measurement.sums[:, 0].sum())


@pytest.mark.parametrize("per_atom", [True, False])
def test_forces(prediction: Prediction, cu_batch: Batch, per_atom: bool) -> None:
    assert prediction.forces is not None
    error = cu_batch.forces - prediction.forces.detach()
    divisor = 32 * 3 * (32 if per_atom else 1)
    value = 2.0 * (error.sign() * prediction.forces).sum() / divisor
    measurement = forces_kind(2.0, 0, ALL, 0, per_atom=per_atom).measure(prediction, cu_batch)
    _assert_measured(measurement, value, 2.0 * error.abs().sum() / divisor, 2)


def test_virial(prediction: Prediction, cu_batch: Batch) -> None:
    assert prediction.virial is not None
    cu_batch.has_virial[1] = False
    error = (cu_batch.virial - prediction.virial.detach())[0]
    upper = torch.triu(torch.ones(3, 3)).bool()
    value = (error.sign() * prediction.virial[0])[upper].mean() / 32
    measurement = virial_kind(1.0).measure(prediction, cu_batch)
    _assert_measured(measurement, value, error[upper].abs().mean() / 32, 1)


def test_atomic_energies(prediction: Prediction, cu_batch: Batch) -> None:
    cu_batch.has_atomic_energies[:] = True
    error = cu_batch.atomic_energies - prediction.atomic_energies.detach()
    value = (0.5 * error.sign() * prediction.atomic_energies).sum() / 32
    measurement = atomic_energies_kind(0.5).measure(prediction, cu_batch)
    _assert_measured(measurement, value, 0.5 * error.abs().sum() / 32, 2)


def test_group_energies(make_potential: Callable[[], Potential], cu_batch: Batch) -> None:
    cu_batch.has_atomic_energies[0] = True
    cu_batch.atomic_energies.normal_(generator=torch.Generator().manual_seed(0))
    prediction = predict(make_potential(), cu_batch, groups=True, create_graph=True)
    assert prediction.group_energies is not None
    label = group_energies(cu_batch.atomic_energies, cu_batch)[:32]
    error = label - prediction.group_energies.detach()[:32]
    value = (0.5 * error.sign() * prediction.group_energies[:32]).sum() / 32
    measurement = group_energies_kind(0.5).measure(prediction, cu_batch)
    _assert_measured(measurement, value, 0.5 * error.abs().sum() / 32, 1)


def test_missing_labels_are_not_measured(prediction: Prediction, cu_batch: Batch) -> None:
    cu_batch.has_forces[:] = False
    measurement = forces_kind(2.0, 0, ALL, 0, per_atom=False).measure(prediction, cu_batch)
    assert not measurement.sums.any()
    assert float(measurement.value.detach()) == 0.0


def test_atoms_are_drawn_once_and_by_frame(cu_data: FrameDataset) -> None:
    draw = ForceDraw(24, 4, replacement=False)
    both, alone = cu_data.batch([0, 1]), cu_data.batch([1])
    groups = draw.atoms(both, 7)
    assert [len(group) for group in groups] == [12, 12, 12, 12]
    assert len(torch.cat(groups).unique()) == 48
    # the same atoms of a frame whatever else is in the batch
    for group, of_one in zip(groups, draw.atoms(alone, 7), strict=True):
        assert torch.equal(group[group >= 32] - 32, of_one)
    assert not torch.equal(groups[0], draw.atoms(both, 8)[0])


def test_atoms_drawn_with_replacement_repeat(cu_data: FrameDataset) -> None:
    drawn = torch.cat(ForceDraw(240, 4, replacement=True).atoms(cu_data.batch([0]), 0))
    assert len(drawn) == 240
    assert len(drawn.unique()) <= 32


def test_small_frames_make_small_groups(two_element_frames: list[Frame]) -> None:
    batch = FrameDataset(two_element_frames[:1], ["Cu", "Au"], 4.0).batch([0])  # 4 atoms
    groups = ForceDraw(24, 8, replacement=False).atoms(batch, 0)
    assert sorted(torch.cat(groups).tolist()) == [0, 1, 2, 3]
