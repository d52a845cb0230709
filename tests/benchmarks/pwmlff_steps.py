"""Runs `pwmlff train CONFIG` with its optimizer steps timed; prints one line of JSON.

    python pwmlff_steps.py CONFIG.json N_STEPS N_WARM

The line also holds what the roofline needs: pairs per frame, and the rates of matrix products and tanh, measured in
this process right after the run, on the same threads and in the same precision.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path

from dp_cost import measure_gemm_rate, measure_tanh_rate
from rich.console import Console
from steps_clock import StepsDone, figures, stamp_adam

from pwmlff.config import RunConfig, load_config
from pwmlff.data.neighbors import neighbor_list
from pwmlff.data.readers import read_frames
from pwmlff.models import DTYPES
from pwmlff.models.dp import DPConfig
from pwmlff.train import train_from_config

_COUNTED = 20  # frames whose pairs are counted


def time_steps(config_path: Path, n_steps: int, n_warm: int) -> dict[str, object]:
    """Train for `n_steps` steps and return the figures."""
    config = load_config(config_path)
    stamps = stamp_adam(n_steps)
    with Path(os.devnull).open("w") as nowhere, suppress(StepsDone):
        train_from_config(config, fresh=True, console=Console(file=nowhere))
    result = figures(stamps, n_warm)
    dtype = DTYPES[config.precision]
    return {
        **result,
        **_sizes(config),
        "gemm_rate": measure_gemm_rate(dtype),
        "tanh_rate": measure_tanh_rate(dtype),
    }


def _sizes(config: RunConfig) -> dict[str, float]:
    """Count atoms and pairs per frame of the training data."""
    frames = list(islice(read_frames(config.train_data, format=config.format), _COUNTED))
    assert isinstance(config.model, DPConfig)
    pairs = [len(neighbor_list(frame, config.model.descriptor.Rmax).pair_neighbors) for frame in frames]
    return {"n_atoms": sum(map(len, frames)) / len(frames), "n_pairs": sum(pairs) / len(pairs)}


if __name__ == "__main__":
    print(json.dumps(time_steps(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
