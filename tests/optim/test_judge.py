"""Many candidates evaluated together: as one after the other, on any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from families import small_potential

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import Potential, ZBLConfig
from pwmlff.models.native import KernelNetwork
from pwmlff.ops import library
from pwmlff.optim import judge as judge_module
from pwmlff.optim.judge import Judge
from pwmlff.optim.loss import LossWeights

ELEMENTS = ["Cu", "Au"]
N_CANDIDATES = 5
WEIGHTS = LossWeights(energy=1.0, forces=1.0, virial=1.0)
needs_library = pytest.mark.skipif(not library.load(), reason="the native library is not there")


@pytest.fixture
def alloy(two_element_frames: list[Frame]) -> Batch:
    return FrameDataset(two_element_frames, ELEMENTS, 4.5).batch(range(6))


def each(potential: Potential) -> Iterator[None]:
    """Change the weights a little, again and again."""
    generator = torch.Generator().manual_seed(2)
    for _ in range(N_CANDIDATES):
        with torch.no_grad():
            for weight in potential.parameters():
                weight += 0.1 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        yield


def errors(model: str, batch: Batch, weights: LossWeights = WEIGHTS, **how: Any) -> torch.Tensor:
    potential = small_potential(model, 4.5, ELEMENTS, **how)
    potential.collect_statistics([batch])
    potential.energy_shift.copy_(torch.tensor([1.0, 2.0]))
    with torch.no_grad():
        return Judge(potential, batch, weights).frame_errors(each(potential))


@needs_library
@pytest.mark.parametrize("model", ["DP", "DP_TYPE_EMBEDDING", "NEP", "NN"])
@pytest.mark.parametrize("zbl", [None, ZBLConfig(inner=2.0, outer=3.0)])
def test_together_is_one_after_the_other(
    alloy: Batch, model: str, zbl: ZBLConfig | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    alloy.has_forces[1] = False
    together = errors(model, alloy, zbl=zbl)
    monkeypatch.setattr(KernelNetwork, "native_evaluator", lambda self, device: None)
    alone = errors(model, alloy, zbl=zbl)
    assert together.shape == (N_CANDIDATES, 6, 5, 5)
    torch.testing.assert_close(together, alone, rtol=1e-11, atol=1e-12)


@needs_library
@pytest.mark.parametrize("model", ["DP", "NEP", "NN"])
def test_threads_and_parts_change_nothing(alloy: Batch, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = errors(model, alloy)
    torch.set_num_threads(3)
    try:
        assert torch.equal(errors(model, alloy), expected)
    finally:
        torch.set_num_threads(1)
    monkeypatch.setattr(judge_module, "_ATOMS_AT_ONCE", 2 * len(alloy.atom_types))
    assert torch.equal(errors(model, alloy), expected)


@pytest.mark.parametrize("weights", [LossWeights(energy=1.0), LossWeights(group_energies=1.0, forces=1.0)])
def test_what_is_not_wanted_is_left_out(alloy: Batch, weights: LossWeights) -> None:
    alloy.has_atomic_energies.fill_(True)
    sums = errors("NEP", alloy, weights)
    wanted = torch.tensor([True, weights.forces > 0, False, True, weights.group_energies > 0])
    assert torch.equal(sums.abs().amax((0, 1, 3)) > 0, wanted)


def test_process_without_a_frame(alloy: Batch) -> None:
    assert errors("NEP", alloy).shape[1] == 6
    potential = small_potential("NEP", 4.5, ELEMENTS)
    with torch.no_grad():
        none = Judge(potential, alloy.select([]), WEIGHTS).frame_errors(each(potential))
    assert none.shape == (N_CANDIDATES, 0, 5, 5)
