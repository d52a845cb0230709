"""The run file of a fine-tuning: settings of a trained model, new data, and an optimizer that begins gently."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pwmlff.config.choice import chosen_by
from pwmlff.data.detect import check_paths
from pwmlff.data.readers import read_frames
from pwmlff.data.replacing import replacing
from pwmlff.elements import symbol_of
from pwmlff.models import DTYPES, name_of
from pwmlff.models.base import network_dtype
from pwmlff.train.continuing import start_model

RUN_FILE = "finetune.json"
# Measured by tests/benchmarks/finetune.py. A variance of 0.1 says that weights are known roughly, and it stays: where
# the new frames tell nothing, nothing is forgotten with time, and no weight decays.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "LKF": {"epochs": 30, "p0_weight": 0.1, "p_max": 0.1, "weight_decay": 0.0},
    "ADAM": {"epochs": 200, "learning_rate": 1e-3, "stop_lr": 1e-6, "batch_size": 4},
}


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """What to fine-tune on what.

    Attributes:
        model: Checkpoint, `nep.txt` or folder of n2p2.
        data: Files or folders with the new frames.
        valid: Files or folders to validate on; some of the new frames are held out when empty.
        folder: Of the run.
        optimizer: LKF or ADAM, with settings made for going on from a good model.
        epochs: Passes over the training frames; those that suit the optimizer when None.
        freeze: Parts of the model to leave as they are.
        replay: Files or folders with frames the model was trained on.
        replay_fraction: Part of the training frames that are such.
        energy_shift: auto, keep or fit; see the run file's key.
        format: Of all data; found out when None.
        seed: Of everything random.
    """

    model: Path
    data: Sequence[Path]
    valid: Sequence[Path] = ()
    folder: Path
    optimizer: str = "LKF"
    epochs: int | None = None
    freeze: Sequence[str] = ()
    replay: Sequence[Path] = ()
    replay_fraction: float = 0.2
    energy_shift: str = "auto"
    format: str | None = None
    seed: int = 2023


def finetune_settings(wanted: FineTuning) -> dict[str, Any]:
    """Return the run file; all that it leaves out of the model is as in the start model.

    Raises:
        ModelFileError: The model cannot be read, or not be trained.
        DataFormatError: The data cannot be read.
    """
    check_paths((*wanted.data, *wanted.valid, *wanted.replay))
    start = start_model(wanted.model).potential
    frames = read_frames(wanted.data, format=wanted.format)
    numbers = np.unique(np.concatenate([np.unique(frame.atomic_numbers) for frame in frames])).tolist()
    elements = list(dict.fromkeys([*start.elements, *(symbol_of(number) for number in numbers)]))
    settings: dict[str, Any] = {
        **chosen_by(name_of(start.network)),
        "atom_type": elements,
        "model_load_file": str(wanted.model.absolute()),
        "precision": next(name for name, dtype in DTYPES.items() if dtype == network_dtype(start.network)),
        "train_data": _absolute(wanted.data),
        "energy_shift": wanted.energy_shift,
        "model_store_dir": str(wanted.folder.absolute()),
        "seed": wanted.seed,
    }
    if wanted.valid:
        settings["valid_data"] = _absolute(wanted.valid)
    if wanted.format is not None:
        settings["format"] = wanted.format
    if wanted.freeze:
        settings["freeze"] = list(wanted.freeze)
    if wanted.replay:
        settings |= {"replay_data": _absolute(wanted.replay), "replay_fraction": wanted.replay_fraction}
    optimizer = {"optimizer": wanted.optimizer.upper(), **OPTIMIZERS.get(wanted.optimizer.upper(), {})}
    if wanted.epochs is not None:
        optimizer["epochs"] = wanted.epochs
    if any(frame.virial is not None for frame in frames):
        optimizer["train_virial"] = True
    settings["optimizer"] = optimizer
    return settings


def write_run_file(settings: dict[str, Any], folder: Path) -> Path:
    """Write the run file into the folder of the run, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RUN_FILE
    with replacing(path) as partial:
        partial.write_text(
            "// written by `pwmlff finetune`; `pwmlff train` with this file does the same again, or goes on\n"
            + json.dumps(settings, indent=4, ensure_ascii=False)
            + "\n",
            encoding="utf-8",
        )
    return path


def _absolute(paths: Sequence[Path]) -> list[str]:
    return [str(path.absolute()) for path in paths]
