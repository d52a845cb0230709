"""Runs that are lost without bounds and guard: batch 1, short memory, atoms far out of place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pwmlff.data.dataset import FrameDataset
from pwmlff.data.frame import Frame
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.models import MODELS, build_potential
from pwmlff.optim.kalman import KalmanConfig, KalmanUpdate

CUTOFF = 4.0  # Å
MODEL = {
    "descriptor": {"Rmax": CUTOFF, "network_size": [8, 16], "M2": 4},
    "fitting_net": {"network_size": [16, 16, 1]},
}
SHORT_MEMORY = {"kalman_lambda": 0.90, "kalman_nue": 0.996, "p0_weight": 1.0, "batch_size": 1}
N_STEPS = 400


@pytest.fixture(scope="module")
def hot(label: Callable[..., Frame]) -> FrameDataset:
    """Aluminium of 16 atoms, displaced by 0.1 to 0.5 Å."""
    from ase.build import bulk

    frames: list[Frame] = []
    for lattice, n_frames, amplitude, seed in ((4.05, 6, 0.1, 3), (4.05, 6, 0.35, 4), (4.3, 4, 0.5, 5)):
        rng = np.random.default_rng(seed)
        for _ in range(n_frames):
            atoms = bulk("Al", "fcc", a=lattice, cubic=True).repeat((2, 2, 1))
            atoms.positions += amplitude * rng.standard_normal(atoms.positions.shape)
            atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.standard_normal((3, 3))), scale_atoms=True)
            frames.append(label(atoms, "al.xyz", len(frames)))
    return FrameDataset(frames, ["Al"], CUTOFF)


def train(hot: FrameDataset, seed: int = 2, **keys: Any) -> tuple[KalmanUpdate, NDArray[np.float64]]:
    """Train on random frames; return the update and the force error of each step."""
    torch.manual_seed(seed)
    potential = build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), ["Al"])
    potential.set_energy_shift(fit_energy_shift(hot.frames, ["Al"]))
    potential.collect_statistics([hot.batch(range(len(hot)))])
    update = KalmanUpdate(potential, KalmanConfig.model_validate({**SHORT_MEMORY, **keys}), steps_per_epoch=len(hot))
    rng = np.random.default_rng(0)
    errors = [update.step(hot.batch([rng.integers(len(hot))])).rmse()["forces"] for _ in range(N_STEPS)]
    return update, np.array(errors)


@pytest.mark.slow
def test_plain_form_is_lost(hot: FrameDataset, plain: dict[str, Any]) -> None:
    _, errors = train(hot, **plain)
    assert errors[-40:].max() > 4.6  # worse than no model: the root mean square of the forces themselves


@pytest.mark.slow
def test_guard_ends_well(hot: FrameDataset, plain: dict[str, Any]) -> None:
    """One start in eight or so ends several times above its best, which is not yet lost to the guard."""
    ends, n_rollbacks = [], 0
    for seed in (1, 2, 3, 4, 5):
        update, errors = train(hot, seed, **{**plain, "guard": True})
        n_rollbacks += update._guard.n_rollbacks
        ends.append(np.median(errors[-15:]))
    assert n_rollbacks > 0
    assert np.median(ends) < 0.5


@pytest.mark.parametrize("seed", [1, 2])
def test_bounds_keep_it_from_getting_lost(hot: FrameDataset, seed: int) -> None:
    update, errors = train(hot, seed)
    assert update._guard.n_rollbacks == 0
    assert np.median(errors[-40:]) < 0.4
