"""A trajectory of a crystal that is shaken ever more, and models of copper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from families import small_potential, small_section

from pwmlff.data.atoms import frame_of
from pwmlff.data.frame import Frame
from pwmlff.models.files.checkpoint import save_checkpoint


@pytest.fixture(scope="session")
def shaken() -> list[Frame]:
    """Twelve frames of 32 atoms, displaced by 0.01 to 0.12 Å."""
    rng = np.random.default_rng(4)
    frames = []
    for index in range(12):
        atoms = bulk("Cu", "fcc", a=3.61, cubic=True).repeat(2)
        atoms.positions += 0.01 * (index + 1) * rng.standard_normal(atoms.positions.shape)
        frames.append(frame_of(atoms, "shaken.xyz", index))
    return frames


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three networks of random weights."""
    folder = tmp_path_factory.mktemp("models")
    config = {"model_type": "DP", "atom_type": ["Cu"], "model": small_section("DP", 4.5)}
    for seed in range(3):
        save_checkpoint(folder / f"{seed}.ckpt", small_potential("DP", 4.5, ["Cu"], seed=seed), config=config)
    return [folder / f"{seed}.ckpt" for seed in range(3)]
