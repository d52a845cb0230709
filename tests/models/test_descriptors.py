"""Descriptors: what the nets of a model see of an atom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from families import FAMILIES, small_potential
from scipy.spatial.transform import Rotation
from toy_model import ToyModel

from pwmlff.data.frame import Frame
from pwmlff.errors import ModelFileError
from pwmlff.evaluate.evaluator import describe_frames
from pwmlff.models import Potential

ALL = (*FAMILIES, "DP_TYPE_EMBEDDING")


def describe(potential: Potential, frame: Frame) -> np.ndarray:
    (descriptors,) = describe_frames(potential, [frame])
    return descriptors


@pytest.mark.parametrize("model_type", ALL)
def test_descriptors_have_the_symmetries_of_energies(model_type: str, two_element_frames: list[Frame]) -> None:
    potential, frame = small_potential(model_type, 4.0, ["Cu", "Au"]), two_element_frames[0]
    before = describe(potential, frame)
    assert len(before) == len(frame)
    assert before.std(axis=0).max() > 1e-3
    turn = Rotation.from_euler("xyz", [0.3, 1.1, -0.7]).as_matrix()
    turned = replace(frame, positions=frame.positions @ turn.T, cell=frame.cell @ turn.T, forces=None, virial=None)
    np.testing.assert_allclose(describe(potential, turned), before, atol=1e-9)
    order = np.random.default_rng(1).permutation(len(frame))
    swapped = Frame(
        atomic_numbers=frame.atomic_numbers[order], positions=frame.positions[order], cell=frame.cell, pbc=frame.pbc
    )
    np.testing.assert_allclose(describe(potential, swapped), before[order], atol=1e-9)


@pytest.mark.parametrize("model_type", ALL)
def test_only_neighbours_within_the_cutoff_count(model_type: str) -> None:
    potential = small_potential(model_type, 4.0, ["Cu"])

    def at(distance: float) -> np.ndarray:
        positions = np.array([[0.0, 0, 0], [2.5, 0, 0], [-distance, 0, 0]])
        return describe(
            potential,
            Frame(atomic_numbers=np.full(3, 29), positions=positions, cell=np.zeros((3, 3)), pbc=np.zeros(3, bool)),
        )[0]

    np.testing.assert_allclose(at(4.0 - 1e-9), at(6.0), atol=1e-7)
    assert np.abs(at(2.6) - at(6.0)).max() > 1e-3


def test_a_model_without_kernels_says_that_it_has_none(cu_frames: list[Frame]) -> None:
    toy = Potential(ToyModel(ToyModel.Config(), 1, torch.float64), ["Cu"])
    with pytest.raises(ModelFileError, match="a ToyModel tells none"):
        describe(toy, cu_frames[0])
