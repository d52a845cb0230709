"""What a Kalman filter does while it trains: variances, innovations, steps and weights, a line per so many steps.

    python tests/benchmarks/lkf_trace.py config.json [--every 100]

Trains the run file from the start. A line gives, over the last steps: the median of e^2 / S per measurement (normalised
innovation) and of what P explains of S, the median length of a step, root mean square and largest of the weights, and
of the block of P with the largest 10 % quantile of its eigenvalues the smallest one, that quantile and the largest.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from bench_tools import say
from torch import Tensor

from pwmlff.config import load_config
from pwmlff.data.batch import Batch
from pwmlff.optim import ErrorSums
from pwmlff.optim.kalman import KalmanUpdate
from pwmlff.optim.kalman_filter import KalmanFilter
from pwmlff.train import train_from_config


class Trace:
    """Stands between LKF and its filter."""

    def __init__(self, every: int) -> None:
        """Print a line after each `every` steps."""
        self.every = every
        self.innovations: list[float] = []
        self.explained: list[float] = []
        self.lengths: list[float] = []
        self._filter_step, self._step = KalmanFilter.step, KalmanUpdate.step

    def filter_step(self, kalman: KalmanFilter, directions: Tensor, residuals: Tensor) -> Tensor:
        """Take the figures of a measurement."""
        variance = kalman.quadratic_form(directions).diagonal()
        total = variance + kalman.noise
        self.innovations += (residuals.square() / total).tolist()
        self.explained += (variance / total).tolist()
        change = self._filter_step(kalman, directions, residuals)
        self.lengths.append(float(change.norm()))
        return change

    def step(self, update: KalmanUpdate, batch: Batch) -> ErrorSums:
        """Print a line where it is due."""
        sums = self._step(update, batch)
        if update.n_steps % self.every == 0:
            weights = update._vector.read()
            spectra = [quantiles(update.filter, *bounds) for bounds in update.filter.bounds]
            smallest, tenth, largest = max(spectra, key=lambda spectrum: spectrum[1])
            figures = [statistics.median(values) for values in (self.innovations, self.explained, self.lengths)]
            say(
                f"step {update.n_steps}: e^2/S {figures[0]:.3f}, explained {figures[1]:.3f}, length {figures[2]:.3g}, "
                f"weights {float(weights.square().mean().sqrt()):.3f} {float(weights.abs().max()):.2f}, "
                f"P {smallest:.1e} {tenth:.1e} {largest:.1e}"
            )
            self.innovations, self.explained, self.lengths = [], [], []
        return sums


def quantiles(kalman: KalmanFilter, first: int, last: int) -> tuple[float, float, float]:
    """Return the smallest eigenvalue of a block of P, the one a tenth lies below, and the largest."""
    identity = torch.zeros(kalman.n_weights, last - first, dtype=torch.float64)
    identity[first:last] = torch.eye(last - first, dtype=torch.float64)
    values = torch.linalg.eigvalsh(kalman.quadratic_form(identity))
    return float(values[0]), float(values[len(values) // 10]), float(values[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--every", type=int, default=100)
    options = parser.parse_args()
    trace = Trace(options.every)
    KalmanFilter.step = lambda kalman, h, e: trace.filter_step(kalman, h, e)  # type: ignore[method-assign]
    KalmanUpdate.step = lambda update, batch: trace.step(update, batch)  # type: ignore[method-assign]
    train_from_config(load_config(options.config), fresh=True)


if __name__ == "__main__":
    main()
