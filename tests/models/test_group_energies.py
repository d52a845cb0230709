"""Group energies against sums written out over periodic images, and where they must not change anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pwmlff.data.batch import Batch, collate
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models.group_energies import group_energies

CUTOFF = 4.5


def batch_of(*frames: Frame) -> Batch:
    return FrameDataset(frames, ["Cu", "Au"], CUTOFF).batch(range(len(frames)))


def written_out(frame: Frame, energies: np.ndarray) -> np.ndarray:
    """The formula, atom by atom over 5 x 5 x 5 cells; periodic in all directions."""
    shifts = np.array([[a, b, c] for a in range(-2, 3) for b in range(-2, 3) for c in range(-2, 3)]) @ frame.cell
    found = []
    for position in frame.positions:
        above = below = 0.0
        for other, energy in zip(frame.positions, energies, strict=True):
            for r in np.linalg.norm(other + shifts - position, axis=1):
                if r < CUTOFF:
                    weight = 0.01 ** ((r / CUTOFF) ** 2)
                    above, below = above + weight * energy, below + weight
        found.append(above / below)
    return np.array(found)


def test_formula(two_element_frames: list[Frame]) -> None:
    frames = [frame for frame in two_element_frames if frame.pbc.all()]
    assert len({len(frame) for frame in frames}) > 1
    batch = batch_of(*frames)
    energies = np.random.default_rng(0).normal(size=len(batch.atom_types))
    parts = np.split(energies, batch.frame_start[1:-1].numpy())
    expected = np.concatenate([written_out(frame, part) for frame, part in zip(frames, parts, strict=True)])
    assert np.ptp(expected) < np.ptp(energies)
    np.testing.assert_allclose(group_energies(torch.from_numpy(energies), batch), expected, rtol=1e-12)


def test_equal_energies_stay(cu_frames: list[Frame]) -> None:
    batch = batch_of(cu_frames[0])
    same = torch.full_like(batch.atomic_energies, -3.7)
    torch.testing.assert_close(group_energies(same, batch), same, rtol=1e-14, atol=0)


def test_an_atom_alone_is_its_own_group(cu_frames: list[Frame]) -> None:
    lone = replace(
        cu_frames[0], atomic_numbers=np.array([29]), positions=np.zeros((1, 3)), cell=20 * np.eye(3), forces=None
    )
    energies = torch.tensor([-1.5], dtype=torch.float64)
    assert torch.equal(group_energies(energies, batch_of(lone)), energies)


def test_gradient(cu_frames: list[Frame]) -> None:
    batch = batch_of(cu_frames[0])
    energies = torch.randn(len(batch.atom_types), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: group_energies(e, batch), energies)


def test_no_atoms() -> None:
    empty = collate([])
    assert group_energies(empty.atomic_energies, empty).shape == (0,)
