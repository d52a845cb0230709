"""How long training takes here, measured by doing a few steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pwmlff.config import RunConfig
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.statistics import fit_energy_shift
from pwmlff.device import choose_device
from pwmlff.models import build_potential
from pwmlff.models.derivatives import predict
from pwmlff.optim import OPTIMIZERS
from pwmlff.train.size import check_size

_STATISTICS_FRAMES = 64
_MOST_STEPS = 8
_MOST_SECONDS = 10.0  # after the first step


@dataclass(frozen=True)
class Pace:
    """What training takes.

    Attributes:
        step: s of a step of the optimizer.
        frame: s of the validation of a frame.
    """

    step: float
    frame: float

    def epoch(self, n_steps: int, n_valid: int) -> float:
        """Return s of an epoch of so many steps that is judged by so many frames."""
        return n_steps * self.step + n_valid * self.frame


def measure_pace(config: RunConfig, frames: Sequence[Frame]) -> Pace:
    """Train for a few steps of the first optimizer on frames drawn from the data; nothing is kept.

    Args:
        config: The run, with its number of frames per step.
        frames: Of the training.
    """
    check_size(config)
    device = choose_device(config.device)
    optimizer = config.stages[0]
    n_batch = min(optimizer.batch_size, len(frames))
    order = np.random.default_rng(config.seed).permutation(len(frames))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        potential = build_potential(
            config.model_key, config.model, config.elements, dtype=config.precision, zbl=config.zbl
        )
        few = [frames[int(index)] for index in order[: max(_STATISTICS_FRAMES, n_batch)]]
        data = FrameDataset(few, config.elements, potential.cutoff)
        potential.set_energy_shift(fit_energy_shift(few, config.elements))
        potential.collect_statistics(iterate_batches(data))
        potential.to(device)
        n_steps = max(1, len(frames) // n_batch)
        update = OPTIMIZERS[optimizer.optimizer](potential, optimizer, steps_per_epoch=n_steps)
        steps: list[float] = []
        for number in range(1 + _MOST_STEPS):
            started = time.perf_counter()
            batch = data.batch([(number * n_batch + k) % len(few) for k in range(n_batch)]).to(device)
            update.step(batch)
            steps.append(time.perf_counter() - started)
            if number > 0 and sum(steps[1:]) > _MOST_SECONDS:
                break
        started = time.perf_counter()
        predict(potential, batch, forces=True, virial=True)
        judged = time.perf_counter() - started
    return Pace(statistics.median(steps[1:]), judged / n_batch)
