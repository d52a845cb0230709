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
from pwmlff.optim.kalman import PREFACTORS

CUTOFF = 4.0
MODEL: dict[str, Any] = {
    "descriptor": {"Rmax": CUTOFF, "network_size": [4, 8], "M2": 2},
    "fitting_net": {"network_size": [6, 1]},
}


@pytest.fixture(scope="session")
def plain() -> dict[str, Any]:
    """The keys of LKF that make its update that of PWMLFF with its `p0_weight` 1."""
    return {
        **{"joint": False, "parts": 1, "nselect": 24, "groupsize": 6, "replacement": True, "force_per_atom": True},
        **{
            "pre_fac_etot": 1.0,
            "pre_fac_force": 2.0,
            "p_max": 1e12,
            "max_step": 1e9,
            "weight_decay": 0,
            "guard": False,
        },
        "p0_weight": (2.0 / PREFACTORS.forces) ** 2,
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
        potential.collect_statistics([cu_batch])
        potential.energy_shift.fill_(float(cu_batch.energy.sum() / cu_batch.n_atoms.sum()))
        return potential

    return make
