"""The loss and its sums: formula, masks, frames of different sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pwmlff import keys
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import Prediction
from pwmlff.models.group_energies import group_energies
from pwmlff.optim.loss import ErrorSums, LossWeights, sum_errors

CUTOFF = 3.0


def _batch(frames: list[Frame]) -> Batch:
    return FrameDataset(frames, ["Cu", "Au"], CUTOFF).batch(range(len(frames)))


def _prediction(batch: Batch, seed: int = 0) -> Prediction:
    generator = torch.Generator().manual_seed(seed)

    def near(value: torch.Tensor) -> torch.Tensor:
        return value + torch.randn(value.shape, generator=generator, dtype=torch.float64)

    return Prediction(near(batch.energy), near(batch.atomic_energies), near(batch.forces), near(batch.virial))


def _unlabelled(frame: Frame, *names: str) -> Frame:
    return replace(frame, **dict.fromkeys(names))


def test_loss_is_the_formula(two_element_frames: list[Frame]) -> None:
    batch = _batch(two_element_frames)
    prediction = _prediction(batch)
    weights = LossWeights(energy=0.3, forces=2.0, virial=0.7)
    assert prediction.forces is not None
    assert prediction.virial is not None
    n_atoms = batch.n_atoms
    assert len(set(n_atoms.tolist())) > 2  # different sizes in one batch
    expected = 0.3 * ((prediction.energy - batch.energy) ** 2 / n_atoms).mean()
    expected += 2.0 * ((prediction.forces - batch.forces) ** 2).mean()
    expected += 0.7 * ((prediction.virial - batch.virial) ** 2 / n_atoms[:, None, None]).mean()
    torch.testing.assert_close(sum_errors(prediction, batch).loss(weights), expected, rtol=1e-12, atol=0)


def test_absent_labels_do_not_count(two_element_frames: list[Frame]) -> None:
    full = two_element_frames[:2]
    bare = [_unlabelled(f, "energy", "forces", "virial") for f in two_element_frames[2:]]
    mixed, alone = _batch(full + bare), _batch(full)
    prediction = _prediction(mixed)
    assert prediction.forces is not None
    assert prediction.virial is not None
    n = len(alone.atom_types)
    same = Prediction(
        prediction.energy[:2], prediction.atomic_energies[:n], prediction.forces[:n], prediction.virial[:2]
    )
    torch.testing.assert_close(
        sum_errors(prediction, mixed).values[:3], sum_errors(same, alone).values[:3], rtol=1e-13, atol=0
    )


def test_nothing_labelled_gives_zero_loss_and_no_rmse(two_element_frames: list[Frame]) -> None:
    bare = [_unlabelled(f, "energy", "forces", "virial", "atomic_energies") for f in two_element_frames]
    sums = sum_errors(_prediction(_batch(bare)), _batch(bare))
    assert float(sums.loss(LossWeights(1.0, 1.0, 1.0, 1.0))) == 0.0
    assert sums.rmse() == {}
    assert sums.mae() == {}


def test_sums_of_parts_are_the_sums_of_the_whole(two_element_frames: list[Frame]) -> None:
    whole = _batch(two_element_frames)
    prediction = _prediction(whole)
    assert prediction.forces is not None
    assert prediction.virial is not None
    parts, start = [], 0
    for index, frame in enumerate(two_element_frames):
        atoms = slice(start, start + len(frame))
        start += len(frame)
        part = Prediction(
            prediction.energy[index : index + 1],
            prediction.atomic_energies[atoms],
            prediction.forces[atoms],
            prediction.virial[index : index + 1],
        )
        parts.append(sum_errors(part, _batch([frame])))
    sums = sum_errors(prediction, whole)
    torch.testing.assert_close(sum(parts, ErrorSums.zero()).values, sums.values, rtol=1e-12, atol=1e-14)
    weights = LossWeights(1.0, 2.0, 3.0, 4.0)
    losses = torch.stack([part.loss(weights, sums.counts) for part in parts])
    torch.testing.assert_close(losses.sum(), sums.loss(weights), rtol=1e-12, atol=0)


def test_rmse_and_mae_in_the_units_shown(two_element_frames: list[Frame]) -> None:
    batch = _batch(two_element_frames)
    prediction = Prediction(batch.energy + 0.1 * batch.n_atoms, batch.atomic_energies, batch.forces - 0.2, None)
    sums = sum_errors(prediction, batch)
    assert sums.rmse()[keys.ENERGY] == pytest.approx(0.1)
    assert sums.mae()[keys.ENERGY] == pytest.approx(0.1)
    assert sums.rmse()[keys.FORCES] == pytest.approx(0.2)
    assert keys.VIRIAL not in sums.rmse()


def test_atomic_energies_are_compared_where_labelled(two_element_frames: list[Frame]) -> None:
    first, second = two_element_frames[:2]
    labelled = replace(first, atomic_energies=torch.full((len(first),), 0.5).numpy())
    batch = _batch([labelled, _unlabelled(second, "atomic_energies")])
    prediction = _prediction(batch)
    expected = ((prediction.atomic_energies[: len(first)] - 0.5) ** 2).mean()
    loss = sum_errors(prediction, batch).loss(LossWeights(atomic_energies=1.0))
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)


def test_group_energies_are_compared_where_labelled(two_element_frames: list[Frame]) -> None:
    first, second = two_element_frames[:2]
    labels = np.random.default_rng(0).normal(size=len(first))
    batch = _batch([replace(first, atomic_energies=labels), _unlabelled(second, "atomic_energies")])
    prediction = _prediction(batch)
    assert keys.GROUP_ENERGIES not in sum_errors(prediction, batch).rmse()  # not asked for
    prediction = replace(prediction, group_energies=group_energies(prediction.atomic_energies, batch))
    error = group_energies(prediction.atomic_energies - batch.atomic_energies, batch)[: len(first)]  # linear
    sums = sum_errors(prediction, batch)
    torch.testing.assert_close(sums.loss(LossWeights(group_energies=2.0)), 2.0 * error.square().mean())
    assert sums.rmse()[keys.GROUP_ENERGIES] == pytest.approx(float(error.square().mean().sqrt()))
