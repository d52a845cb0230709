"""A potential: what it adds to its network, what it asks of it, and how it is copied and frozen."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pwmlff.data.batch import Batch, collate, make_sample
from pwmlff.data.frame import Frame
from pwmlff.models import Potential
from pwmlff.models.base import Network, differentiate
from pwmlff.ops import library


class Biased(Network):
    """A constant per element, which is a weight: it takes all of the energy shift but that of the first element."""

    cutoff = 4.0

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, pair_vectors: Tensor, pair_start: Tensor, pair_types: Tensor, atom_types: Tensor) -> Tensor:
        return self.bias[atom_types] + 0.0 * pair_vectors.sum()

    def take_energy_shift(self, shift: Tensor) -> Tensor:
        with torch.no_grad():
            self.bias.copy_(shift - shift[0])
        return shift[0].expand_as(shift)


@pytest.fixture
def batch(two_element_frames: list[Frame]) -> Batch:
    return collate([make_sample(frame, {29: 0, 79: 1}, 4.5) for frame in two_element_frames])


def test_the_network_may_keep_the_energy_shift(batch: Batch) -> None:
    potential = Potential(Biased(), ["Cu", "Au"])
    potential.set_energy_shift(np.array([-3.5, -2.25]))
    assert potential.energy_shift.tolist() == [-3.5, -3.5]
    assert potential.network.bias.tolist() == [0.0, 1.25]
    energies, gradients = potential.energies_and_gradients(*batch.pairs)
    assert torch.equal(energies, torch.tensor([-3.5, -2.25], dtype=torch.float64)[batch.atom_types])
    assert not gradients.any()


@pytest.mark.parametrize("name", ["DP", "DP_TYPE_EMBEDDING", "DP+ZBL", "DP+ZBL+tables", "TOY"])
def test_differentiable_results_are_those_of_the_kernels(make_potential: Callable, batch: Batch, name: str) -> None:
    potential = make_potential(name)
    kernels = potential.energies_and_gradients(*batch.pairs)
    graph = potential.energies_and_gradients(*batch.pairs, differentiable=True)
    for values, others in zip(kernels, graph, strict=True):
        assert not values.requires_grad
        assert others.requires_grad
        assert (values - others).abs().max() < 1e-12 * others.abs().max()
    gradient = torch.autograd.grad(graph[1].square().sum(), list(potential.network.parameters()), allow_unused=True)
    assert any(value is not None and value.abs().max() > 0 for value in gradient)


@pytest.mark.skipif(not library.load(), reason=f"no native library: {library.status().error}")
@pytest.mark.parametrize("name", ["DP", "DP+ZBL+tables"])
def test_frozen_weights_that_change_after_all(make_potential: Callable, batch: Batch, name: str) -> None:
    """What is prepared of frozen weights never outlives a change, in place or of device, nor is it shared by copies."""
    potential = copy.deepcopy(make_potential(name)).frozen()
    before = potential.energies_and_gradients(*batch.pairs)
    assert torch.equal(potential.energies_and_gradients(*batch.pairs)[0], before[0])
    twin = copy.deepcopy(potential)
    for weight in (potential.network.fitting[0].output, potential.network.environment.scale):
        weight.mul_(0.9)
        after = potential.energies_and_gradients(*batch.pairs)
        assert (after[0] - before[0]).abs().max() > 1e-6
        expected = differentiate(potential, *batch.pairs)
        assert (after[1] - expected[1]).abs().max() < 1e-12 * expected[1].abs().max()
    assert torch.equal(twin.energies_and_gradients(*batch.pairs)[1], before[1])
    potential.load_state_dict(twin.state_dict())
    assert torch.equal(potential.energies_and_gradients(*batch.pairs)[1], before[1])


def test_weights_in_training_are_never_kept(make_potential: Callable, batch: Batch) -> None:
    potential = copy.deepcopy(make_potential("DP")).train()
    before = potential.energies_and_gradients(*batch.pairs)[0]
    with torch.no_grad():
        potential.network.fitting[0].output.data.mul_(1.1)  # as no version counter sees
    assert (potential.energies_and_gradients(*batch.pairs)[0] - before).abs().max() > 1e-6
