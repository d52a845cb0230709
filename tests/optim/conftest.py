"""A small Deep Potential for the optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.models import MODELS, Potential, build_potential

CUTOFF = 4.0
MODEL: dict[str, Any] = {
    "descriptor": {"Rmax": CUTOFF, "network_size": [4, 8], "M2": 2},
    "fitting_net": {"network_size": [6, 1]},
}


@pytest.fixture
def cu_data(cu_frames: list[Frame]) -> FrameDataset:
    return FrameDataset(cu_frames, ["Cu"], CUTOFF)


@pytest.fixture
def cu_batch(cu_data: FrameDataset) -> Batch:
    """Two frames of 32 atoms."""
    return cu_data.batch([0, 1])


@pytest.fixture
def make_potential(cu_batch: Batch) -> Callable[[], Potential]:
    """Return a function that makes the same untrained potential each time."""

    def make() -> Potential:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            potential = build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), ["Cu"])
        potential.fit_statistics([cu_batch])
        potential.energy_shift.fill_(float(cu_batch.energy.sum() / cu_batch.n_atoms.sum()))
        return potential

    return make
