"""Where the time of a training step goes: our kernels, PyTorch's operations, the rest.

    python tests/benchmarks/step_profile.py --data DIR [--optimizer ADAM LKF] [--size small large] [--threads 1]

Trains on water (extxyz/deepmd_water of DIR, 192 atoms, 6 Å) as `pwmlff train` does and reads PyTorch's profiler over
some steps: Adam with batch 1, LKF with batch 4. The profiler itself costs some microseconds per operation, so the first
lines of a table give the step without it: the time that passes, and that of the processor in all threads, which other
work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from bench_tools import describe_machine, pin_to_cores, print_table, say
from rich.console import Console
from steps_clock import StepsDone
from torch.profiler import ProfilerActivity, profile

from pwmlff.config import load_config
from pwmlff.data.batch import Batch
from pwmlff.optim import OPTIMIZERS, ErrorSums, UpdateStrategy
from pwmlff.train import train_from_config

SIZES = {"small": ([25, 25, 25], [50, 50, 50, 1]), "large": ([25, 50, 100], [240, 240, 240, 1])}
SETTINGS: dict[str, dict[str, Any]] = {
    "ADAM": {"optimizer": "ADAM", "batch_size": 1},
    "LKF": {"optimizer": "LKF", "batch_size": 4},
}
PYTORCH = "PyTorch: forces, measurements or loss, optimizer"  # all other operations
# of the profiler's names; the first that matches counts
PARTS = (
    ("energies and pair gradients", r"pwmlff::evaluate_keeping"),
    ("gradients by the weights", r"pwmlff::weight_gradients"),
    ("covariance: P H and its update", r"pwmlff::kalman_sweep"),
)
REST = "outside all operations: Python, batches, lists of neighbours"


def run_config(data: Path, optimizer: str, size: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the run file."""
    embedding, fitting = SIZES[size]
    return {
        "model_type": "DP",
        "atom_type": ["O", "H"],
        "train_data": [str(data / "extxyz/deepmd_water/train.xyz")],
        "format": "extxyz",
        "valid_ratio": 0.0,
        "precision": options.precision,
        "threads": options.threads,
        "device": "cpu",
        "seed": 1,
        "model": {
            "descriptor": {"Rmax": 6.0, "Rmin": 0.5, "M2": 16, "network_size": embedding},
            "fitting_net": {"network_size": fitting},
        },
        "optimizer": {**SETTINGS[optimizer], "epochs": 1000},
    }


class Watch:
    """Stands between the trainer and the optimizer: times the steps, then profiles as many, then ends the run."""

    def __init__(self, n_warm: int, n_steps: int) -> None:
        """Count `n_steps` twice, after `n_warm`."""
        self.n_warm, self.n_steps, self.n_done = n_warm, n_steps, 0
        self.seconds = self.cpu_seconds = self.profiled_seconds = 0.0
        self.profiler = profile(activities=[ProfilerActivity.CPU], acc_events=True)
        self._started = self._cpu_started = 0.0

    def before_step(self) -> None:
        """Begin and end the two measurements where they are due; a step ends where the next begins."""
        now, cpu_now = time.perf_counter(), time.process_time()
        done = self.n_done - self.n_warm
        if done == 0:
            self._started, self._cpu_started = now, cpu_now
        elif done == self.n_steps:
            self.seconds, self.cpu_seconds = now - self._started, cpu_now - self._cpu_started
            self.profiler.start()
            self._started = time.perf_counter()
        elif done == 2 * self.n_steps:
            self.profiled_seconds = now - self._started
            self.profiler.stop()
            raise StepsDone
        self.n_done += 1

    def parts(self) -> dict[str, float]:
        """Return the ms per step of each part, under the profiler."""
        milliseconds: dict[str, float] = defaultdict(float)
        for event in self.profiler.key_averages():
            name = next((name for name, pattern in PARTS if re.search(pattern, event.key)), PYTORCH)
            milliseconds[name] += 1e-3 * event.self_cpu_time_total / self.n_steps
        milliseconds[REST] = 1e3 * self.profiled_seconds / self.n_steps - sum(milliseconds.values())
        return milliseconds


def watch_steps(config_path: Path, options: argparse.Namespace) -> tuple[float, float, dict[str, float]]:
    """Train and return the ms of a step without the profiler, of the clock and of the processor; its parts with it."""
    config = load_config(config_path)
    strategy: type[UpdateStrategy] = OPTIMIZERS[config.optimizer.optimizer]
    watch, original = Watch(options.warm, options.steps), strategy.step

    def step(self: UpdateStrategy, batch: Batch) -> ErrorSums:
        watch.before_step()
        return original(self, batch)

    strategy.step = step  # type: ignore[method-assign]
    with Path(os.devnull).open("w") as nowhere, suppress(StepsDone):
        train_from_config(config, fresh=True, console=Console(file=nowhere))
    return 1e3 * watch.seconds / options.steps, 1e3 * watch.cpu_seconds / options.steps, watch.parts()


def measure(task: tuple[str, str, argparse.Namespace]) -> tuple[float, float, dict[str, float]]:
    """Measure one optimizer and size in a process of its own."""
    optimizer, size, options = task
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="pwmlff-profile-") as folder:
        path = Path(folder) / "config.json"
        config = run_config(options.data.resolve(), optimizer, size, options)
        path.write_text(json.dumps({**config, "model_store_dir": str(Path(folder) / "record")}))
        return watch_steps(path, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds extxyz/deepmd_water")
    parser.add_argument("--optimizer", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--size", nargs="+", choices=list(SIZES), default=["small"])
    parser.add_argument("--precision", choices=["float64", "float32"], default="float64")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20, help="timed, and as many profiled")
    parser.add_argument("--warm", type=int, default=5, help="first steps that are not counted")
    options = parser.parse_args()
    pin_to_cores(options.threads)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    context = multiprocessing.get_context("spawn")
    for optimizer in options.optimizer:
        for size in options.size:
            say(f"{optimizer}, {size}")
            with context.Pool(1) as pool:
                step, cpu, parts = pool.map(measure, [(optimizer, size, options)])[0]
            total = sum(parts.values())
            order = [name for name, _ in PARTS if name in parts] + [PYTORCH, REST]
            rows = [["step without the profiler", f"{step:.1f}", ""], ["  time of the processor", f"{cpu:.1f}", ""]]
            rows += [["step with it", f"{total:.1f}", "100 %"]]
            rows += [[f"  {name}", f"{parts[name]:.1f}", f"{100 * parts[name] / total:.0f} %"] for name in order]
            title = f"{optimizer}, batch {SETTINGS[optimizer]['batch_size']}, {SIZES[size][0]}, {SIZES[size][1]}, "
            title += f"{options.precision}, {options.threads} threads"
            print_table(title, ["", "ms", ""], rows, [describe_machine()])


if __name__ == "__main__":
    main()
