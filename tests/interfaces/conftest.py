"""A small Deep Potential of Cu and Au as a checkpoint and as an exported model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.export import export_model
from pwmlff.models import MODELS, Potential, build_potential
from pwmlff.models.files.checkpoint import save_checkpoint

CUTOFF = 4.5  # Å
ELEMENTS = ["Cu", "Au"]
MODEL = {
    "descriptor": {"Rmax": CUTOFF, "Rmin": 1.0, "M2": 4, "network_size": [6, 12, 12]},
    "fitting_net": {"network_size": [10, 10, 1]},
}


@pytest.fixture(scope="module")
def potential(two_element_frames: list[Frame]) -> Potential:
    torch.manual_seed(11)
    model = build_potential("DP", MODELS["DP"].Config.model_validate(MODEL), ELEMENTS)
    model.collect_statistics(iterate_batches(FrameDataset(two_element_frames, ELEMENTS, CUTOFF), 4))
    return model


@pytest.fixture(scope="module")
def checkpoint(potential: Potential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "dp_model.ckpt"
    save_checkpoint(path, potential, config={"model_type": "DP", "atom_type": ELEMENTS, "model": MODEL})
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    return export_model(checkpoint)
