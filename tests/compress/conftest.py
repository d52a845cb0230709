"""Small trained models of Cu and Au, and frames on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.data.writers import write_extxyz
from pwmlff.models import MODELS, Potential, ZBLConfig, build_potential, predict
from pwmlff.models.files.checkpoint import save_checkpoint

ELEMENTS = ["Cu", "Au"]
CUTOFF = 4.5  # Å
_DP: dict[str, Any] = {
    "descriptor": {"Rmax": CUTOFF, "Rmin": 1.0, "M2": 4, "network_size": [6, 12, 12]},
    "fitting_net": {"network_size": [10, 10, 1]},
}
_NEP: dict[str, Any] = {
    "descriptor": {"cutoff": [CUTOFF, 4.0, 4.1, 3.5], "n_max": [4, 3], "basis_size": [6, 5]},
    "fitting_net": {"network_size": 10},
}
SECTIONS = {"DP": _DP, "DP_TYPE_EMBEDDING": _DP, "NEP": _NEP}
ZBL = {"inner": 1.2, "outer": 2.4}
N_STEPS = 40


@pytest.fixture(scope="session")
def trained(two_element_frames: list[Frame]) -> Callable[[str], Potential]:
    """Return a function that gives the trained model of a key of MODELS; `+ZBL` adds the repulsion."""
    kept: dict[str, Potential] = {}

    def give(name: str) -> Potential:
        if name not in kept:
            kept[name] = _train(name, two_element_frames)
        return kept[name]

    return give


def _train(name: str, frames: Sequence[Frame]) -> Potential:
    torch.manual_seed(5)
    key, _, repulsion = name.partition("+")
    config = MODELS[key].Config.model_validate(SECTIONS[key])
    potential = build_potential(key, config, ELEMENTS, zbl=ZBLConfig(**ZBL) if repulsion else None)
    dataset = FrameDataset(frames, ELEMENTS, CUTOFF)
    potential.collect_statistics(iterate_batches(dataset, 4))
    potential.set_energy_shift(fit_energy_shift(frames, ELEMENTS))
    batch = dataset.batch(range(len(dataset)))
    parameters = list(potential.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    losses = []
    for _ in range(N_STEPS):
        prediction = predict(potential, batch, virial=False, create_graph=True)
        loss = (prediction.forces - batch.forces).square().mean()
        optimizer.zero_grad()
        loss.backward(inputs=parameters)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    return potential.eval().requires_grad_(False)


@pytest.fixture
def data_file(tmp_path: Path, two_element_frames: list[Frame]) -> Path:
    """The frames that the models were trained on."""
    path = tmp_path / "frames.xyz"
    write_extxyz(path, two_element_frames)
    return path


@pytest.fixture
def make_checkpoint(trained: Callable[[str], Potential], tmp_path: Path, data_file: Path) -> Callable[..., Path]:
    """Return a function that writes a trained model as `model.ckpt`, which names its training data."""

    def make(name: str = "DP", **config: object) -> Path:
        key, _, repulsion = name.partition("+")
        content = {
            "model_type": key,
            "atom_type": ELEMENTS,
            "model": SECTIONS[key],
            "zbl": ZBL if repulsion else None,
            "train_data": [str(data_file)],
            **config,
        }
        save_checkpoint(tmp_path / "model.ckpt", trained(name), config=content)
        return tmp_path / "model.ckpt"

    return make
