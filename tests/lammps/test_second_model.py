"""A second model costs two files and a row in MODELS: the toy of tests/toy goes from frames to LAMMPS."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from toy_model import ToyModel

from pwmlff.config import load_config
from pwmlff.export import export_model
from pwmlff.models import MODELS
from pwmlff.models.files.checkpoint import load_potential
from pwmlff.train import train_from_config


def test_toy_from_frames_to_lammps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_lammps: Callable, expect: Callable
) -> None:
    monkeypatch.setitem(MODELS, "TOY", ToyModel)  # the row
    rng = np.random.default_rng(0)
    images = []
    for _ in range(6):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat((2, 1, 1))
        atoms.symbols[rng.permutation(len(atoms))[:3]] = "Au"
        atoms.positions += 0.1 * rng.standard_normal(atoms.positions.shape)
        atoms.calc = EMT()
        atoms.get_stress()
        images.append(atoms)
    write(tmp_path / "train.xyz", images)
    run = {
        "model_type": "TOY",
        "atom_type": ["Cu", "Au"],
        "train_data": [str(tmp_path / "train.xyz")],
        "valid_ratio": 0.0,
        "model": {"n_gaussians": 4},
        "optimizer": {
            "optimizer": "ADAM",
            "epochs": 30,
            "learning_rate": 0.02,
            "stop_lr": 0.01,
            **{f"{end}_pre_fac_{label}": 1.0 for end in ("start", "end") for label in ("force", "etot")},
        },
        "model_store_dir": str(tmp_path / "model_record"),
    }
    (tmp_path / "train.json").write_text(json.dumps(run))
    checkpoint = train_from_config(load_config(tmp_path / "train.json"))
    history = np.loadtxt(tmp_path / "model_record" / "epoch_train.dat", skiprows=1)
    assert history[-1, 1] < history[0, 1]  # the loss fell
    assert load_potential(checkpoint).network.__class__ is ToyModel

    exported = export_model(checkpoint, tmp_path / "toy.pt")
    result = run_lammps(images[0], f"pwmlff {exported}", ranks=2, types=("Cu", "Au"))
    expected = expect(images[0], exported)
    assert np.abs(result.forces - expected.forces).max() < 1e-9
    assert np.abs(result.atomic_energies - expected.atomic_energies).max() < 1e-9
    assert np.abs(expected.forces).max() > 1e-2
