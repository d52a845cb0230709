"""Runs of LKF left alone to their end: no error may treble from one epoch to the next and stay so.

The first is the run that showed why weights have to decay (see "Why weights decay" in `docs/training.md`): without, it
is lost after 110 epochs. Its settings are those of `tests/benchmarks/mlearn_cu.json`.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from pwmlff.config import load_config
from pwmlff.train import train_from_config

SETTINGS = Path(__file__).parents[1] / "benchmarks" / "mlearn_cu.json"
RUNS = {
    "settings": {"precision": "float64", "optimizer": {"epochs": 150}},
    "large p_max": {"precision": "float32", "optimizer": {"epochs": 60, "p_max": 1e4}},
    "batch 1": {"precision": "float32", "optimizer": {"epochs": 15, "batch_size": 1}},
}


def table(folder: Path, name: str) -> NDArray[np.float64]:
    """Return energy per atom and force errors by epoch."""
    return np.loadtxt(folder / name, skiprows=1, usecols=(2, 3))


def trebled_for_good(errors: NDArray[np.float64]) -> bool:
    """Return whether an error trebled from one epoch to the next and did not fall again within five."""
    return any(errors[n : n + 5].min() > 3 * errors[n - 1] for n in range(1, len(errors)))


def test_the_criterion() -> None:
    assert trebled_for_good(np.array([5.0, 4.0, 13.0, 14.0, 15.0, 16.0, 12.5, 3.0]))
    assert not trebled_for_good(np.array([5.0, 4.0, 13.0, 14.0, 15.0, 16.0, 11.5, 3.0]))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_silicon_to_the_end(name: str, shared_data: Path, tmp_path: Path) -> None:
    run: dict[str, Any] = json.loads(SETTINGS.read_text(encoding="utf-8"))
    folder = shared_data / "extxyz" / "mlearn_Si"
    run |= {
        "atom_type": ["Si"],
        "train_data": [str(folder / "train.xyz")],
        "valid_data": [str(folder / "test.xyz")],
        "threads": 1,
        "model_store_dir": str(tmp_path / "record"),
        "precision": RUNS[name]["precision"],
        "optimizer": {**run["optimizer"], **RUNS[name]["optimizer"]},
    }
    del run["test_data"]
    (tmp_path / "config.json").write_text(json.dumps(run), encoding="utf-8")
    text = io.StringIO()
    train_from_config(load_config(tmp_path / "config.json"), console=Console(file=text))
    for part in ("train", "valid"):
        for errors in table(tmp_path / "record", f"epoch_{part}.dat").T:
            assert not trebled_for_good(errors)
    assert "back to the last good weights" not in text.getvalue()
    forces = table(tmp_path / "record", "epoch_train.dat")[:, 1]
    assert forces[-1] < 1.1 * forces.min()
