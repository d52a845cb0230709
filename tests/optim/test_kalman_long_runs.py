"""Runs of LKF left alone to their end: no error may treble from one epoch to the next and stay so.

The first is the run that showed why weights have to decay (see "Why weights decay" in `docs/training.md`): without, it
is lost after 110 epochs. Its settings are those of `tests/benchmarks/mlearn_cu.json`, of a Deep Potential; a NEP is
trained with the defaults.
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
DP: dict[str, Any] = json.loads(SETTINGS.read_text(encoding="utf-8"))
NEP: dict[str, Any] = {
    "model_type": "NEP",
    "model": {"descriptor": {"cutoff": [6.0, 5.0]}, "fitting_net": {"network_size": 30}},
    "optimizer": {"optimizer": "LKF"},
}
RUNS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {  # run file, precision, keys of the optimizer
    "settings": (DP, "float64", {"epochs": 150}),
    "large p_max": (DP, "float32", {"epochs": 60, "p_max": 1e4}),
    "batch 1": (DP, "float32", {"epochs": 15, "batch_size": 1}),
    "NEP": (NEP, "float64", {"epochs": 100}),
    "NEP, batch 1": (NEP, "float32", {"epochs": 15, "batch_size": 1}),
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
    settings, precision, optimizer = RUNS[name]
    folder = shared_data / "extxyz" / "mlearn_Si"
    run = settings | {
        "atom_type": ["Si"],
        "train_data": [str(folder / "train.xyz")],
        "valid_data": [str(folder / "test.xyz")],
        "test_data": [],
        "threads": 1,
        "model_store_dir": str(tmp_path / "record"),
        "precision": precision,
        "optimizer": settings["optimizer"] | optimizer,
    }
    (tmp_path / "config.json").write_text(json.dumps(run), encoding="utf-8")
    text = io.StringIO()
    train_from_config(load_config(tmp_path / "config.json"), console=Console(file=text))
    for part in ("train", "valid"):
        for errors in table(tmp_path / "record", f"epoch_{part}.dat").T:
            assert not trebled_for_good(errors)
    assert "back to the last good weights" not in text.getvalue()
    forces = table(tmp_path / "record", "epoch_train.dat")[:, 1]
    assert forces[-1] < 1.1 * forces.min()
