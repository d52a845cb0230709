"""Networks of Behler and Parrinello train with every optimizer, on functions that the training frames decide."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from pwmlff.config import RunConfig
from pwmlff.data.frame import Frame
from pwmlff.data.neighbors import neighbor_list
from pwmlff.data.writers import write_extxyz
from pwmlff.models.files.checkpoint import load_checkpoint
from pwmlff.train import train_from_config

RunFactory = Callable[..., RunConfig]
G5 = {"type": "G5", "cutoff": 4.5, "eta": 0.05, "zeta": 2}
FUNCTIONS = [
    *({"type": "G2", "cutoff": 4.5, "eta": 2.0, "r_s": r_s} for r_s in (2.0, 2.6, 3.2, 3.8)),
    *({**G5, "lambda": sign} for sign in (1, -1)),
]
MODEL = {"descriptor": {"functions": FUNCTIONS}, "fitting_net": {"network_size": [6, 6, 1]}}


def train(config: RunConfig, **options: Any) -> str:
    text = io.StringIO()
    train_from_config(config, console=Console(file=text, width=200), **options)
    return text.getvalue()


def losses(config: RunConfig) -> np.ndarray:
    return np.loadtxt(config.model_store_dir / "epoch_train.dat", skiprows=1, ndmin=2)[:, 1]


@pytest.mark.parametrize(("optimizer", "precision"), [("LKF", "float64"), ("LKF", "float32"), ("ADAM", "float64")])
def test_errors_fall(make_run: RunFactory, optimizer: str, precision: str) -> None:
    settings: dict[str, Any] = {"optimizer": optimizer, "epochs": 8, "train_virial": True}
    if optimizer == "LKF":
        settings["learning_rate"] = None
    config = make_run(model_type="nn", model=MODEL, precision=precision, optimizer=settings)
    train(config)
    history = losses(config)
    assert history[-1] < 0.3 * history[0]


def test_functions_are_kept(make_run: RunFactory) -> None:
    """The checkpoint and the resolved run file list the functions; a resumed run makes the same ones again."""
    descriptor = {"Rmax": 4.5, "feature_type": [1, 2], "1": {"iflag_grid": 2, "iflag_ftype": 1, "numOf2bfeat": 4}}
    short = {"optimizer": "LKF", "epochs": 1, "learning_rate": None}
    config = make_run(model_type="nn", model={"descriptor": descriptor}, optimizer=short)
    assert "symmetry functions: Cu 4 radial, 18 angular" in train(config)
    path = config.model_store_dir / "nn_model.ckpt"
    checkpoint = load_checkpoint(path)
    model = checkpoint.config["model"]
    assert len(model["descriptor"]["functions"]) == 22
    assert (model["descriptor"]["normalization"], model["descriptor"]["feature_type"]) == ("range", None)
    written = json.loads((config.model_store_dir / "std_input.json").read_text())
    assert written["model"] == model
    more = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"epochs": 2})})
    assert "resuming after 1 epochs" in train(more)
    # the resolved file runs, and is the same run
    again = RunConfig.model_validate({**written, "optimizer": {**written["optimizer"], "epochs": 3}})
    assert "resuming after 2 epochs" in train(again)


def test_on_from_a_trained_model(make_run: RunFactory) -> None:
    short = {"optimizer": "LKF", "epochs": 1, "learning_rate": None}
    first = make_run("first", model_type="nn", model=MODEL, optimizer=short)
    train(first)
    start = str(first.model_store_dir / first.model_name)
    second = make_run("second", model_type="nn", atom_type=[], model_load_file=start, model={}, optimizer=short)
    train(second)
    old, new = (load_checkpoint(run.model_store_dir / run.model_name) for run in (first, second))
    assert new.config["model"] == old.config["model"]
    assert losses(second)[0] < losses(first)[0]


def test_atomic_energies(make_run: RunFactory, tmp_path: Path, cu_frames: list[Frame]) -> None:
    """Energies of the atoms are learned, as PWmat divides those of structures."""
    frames = []
    for frame in cu_frames:
        neighbors = neighbor_list(frame, 4.0)
        distances = np.linalg.norm(neighbors.pair_vectors, axis=1)
        crowd = np.add.reduceat(np.exp(-((distances - 2.4) ** 2)), neighbors.pair_start[:-1])
        assert frame.energy is not None
        divided = frame.energy / len(frame) + 0.2 * (crowd - crowd.mean())
        frames.append(replace(frame, atomic_energies=divided))
    write_extxyz(tmp_path / "divided.xyz", frames)
    settings = {"optimizer": "LKF", "epochs": 10, "learning_rate": None, "train_ei": True, "train_force": False}
    data = [str(tmp_path / "divided.xyz")]
    config = make_run(model_type="nn", model=MODEL, optimizer=settings, train_data=data)
    said = train(config)
    assert "atomic energies" in said
    assert losses(config)[-1] < 0.3 * losses(config)[0]
