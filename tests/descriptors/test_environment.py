"""Switch and environment matrix against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.descriptors.environment import EnvironmentMatrix
from pwmlff.ops.reference import environment_rows, quintic_switch


def test_switch_has_two_continuous_derivatives() -> None:
    inner, outer = 1.0, 4.0
    assert quintic_switch(torch.tensor([0.3, 1.0, 4.0, 5.0]), inner, outer).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert quintic_switch(torch.tensor([2.5]), inner, outer).item() == pytest.approx(0.5)
    for edge in (inner, outer):
        r = torch.tensor([edge - 1e-9, edge + 1e-9], dtype=torch.float64, requires_grad=True)
        value = quintic_switch(r, inner, outer)
        (first,) = torch.autograd.grad(value.sum(), r, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), r)
        for quantity in (value, first, second):
            assert quantity[0].item() == pytest.approx(quantity[1].item(), abs=1e-7)


def test_rows_of_one_neighbour() -> None:
    vector = torch.tensor([[1.0, -2.0, 2.0]], dtype=torch.float64)  # r = 3
    u = (3.0 - 1.0) / (5.0 - 1.0)
    s = (u**3 * (-6 * u**2 + 15 * u - 10) + 1) / 3.0
    expected = [s, s / 3, -2 * s / 3, 2 * s / 3]
    assert environment_rows(vector, 1.0, 5.0)[0].tolist() == pytest.approx(expected, rel=1e-14)


def test_exactly_at_the_inner_radius() -> None:
    vector = torch.tensor([[2.0, 0.0, 0.0]], dtype=torch.float64)
    assert environment_rows(vector, 2.0, 5.0)[0, 0].item() == pytest.approx(0.5)


def test_statistics_use_all_frames(two_element_frames: list[Frame]) -> None:
    dataset = FrameDataset(two_element_frames, ["Cu", "Au"], 4.0)
    environment = EnvironmentMatrix(1.0, 4.0, 2, torch.float64)
    environment.collect_statistics(iterate_batches(dataset, 4))
    rows: dict[int, list[np.ndarray]] = {0: [], 1: []}
    n_pairs = n_atoms = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        table = environment_rows(torch.from_numpy(sample.neighbors.pair_vectors), 1.0, 4.0).numpy()
        degree = np.diff(sample.neighbors.pair_start)
        types = np.repeat(sample.atom_types, degree)
        for t in (0, 1):
            rows[t].append(table[types == t])
        n_pairs, n_atoms = n_pairs + len(table), n_atoms + len(degree)
    for t in (0, 1):
        table = np.concatenate(rows[t])
        assert environment.mean[t].item() == pytest.approx(table[:, 0].mean())
        assert environment.scale[t, 0].item() == pytest.approx(table[:, 0].std())
        assert environment.scale[t, 2].item() == pytest.approx(np.sqrt((table[:, 1:] ** 2).mean()))
    assert environment.n_neighbors.item() == pytest.approx(n_pairs / n_atoms)


def test_an_element_without_neighbours_stays_neutral() -> None:
    lone = Frame(atomic_numbers=[29], positions=[[0, 0, 0]], cell=np.zeros((3, 3)), pbc=[False] * 3)
    environment = EnvironmentMatrix(1.0, 4.0, 2, torch.float64)
    environment.collect_statistics(iterate_batches(FrameDataset([lone], ["Cu", "Au"], 4.0), 1))
    assert environment.scale.tolist() == [[1.0] * 4] * 2
    assert environment.n_neighbors.item() == 1.0
