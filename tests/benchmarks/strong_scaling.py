"""Strong scaling: the same global batch on 1 and more processes, one thread each, in turns.

    python tests/benchmarks/strong_scaling.py [--processes 1 2] [--optimizer ADAM] [--batch-size 8] [--data FILE ...]

Trains a Deep Potential (6 Å, M2 16) on the lithium frames of `examples/data`, or on others, with `torchrun`. A step is
timed from the end of one update to the end of the next, so batches and logging count. The table also says how long a
process sat in `distributed.sum_`, which is mostly waiting for the slowest, and by how much the final weights differ
from those of one process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from bench_tools import Spread, describe_machine, pin_to_cores, print_table, run_child, say, thread_environment
from rich.console import Console
from torch import Tensor

from pwmlff import distributed
from pwmlff.config import load_config
from pwmlff.data.readers import read_frames
from pwmlff.models.files.checkpoint import load_potential
from pwmlff.optim import OPTIMIZERS, ErrorSums
from pwmlff.optim.base import UpdateStrategy
from pwmlff.train import train_from_config

HERE = Path(__file__).resolve()
SHIPPED = HERE.parents[2] / "examples" / "data" / "li27_train.xyz"


def run_config(options: argparse.Namespace, n_frames: int, folder: str) -> dict[str, Any]:
    """Return the run file; its epochs follow from the number of steps."""
    steps_per_epoch = -(-n_frames // options.batch_size)
    return {
        "model_type": "DP",
        "atom_type": options.elements,
        "train_data": [str(path.absolute()) for path in options.data],
        "valid_ratio": 0.0,
        "device": options.device,
        "threads": 1,
        "model_store_dir": folder,
        "model": {
            "descriptor": {"Rmax": 6.0, "M2": 16, "network_size": options.embedding},
            "fitting_net": {"network_size": [*options.fitting, 1]},
        },
        "optimizer": {
            "optimizer": options.optimizer,
            "batch_size": options.batch_size,
            "epochs": -(-options.steps // steps_per_epoch),
        },
    }


class Clock:
    """Notes when steps end and how long sums over processes take."""

    def __init__(self, strategy: type[UpdateStrategy]) -> None:
        """Watch an optimizer, from inside the process that trains."""
        self.ends: list[float] = []
        self.summing: list[float] = []
        step, sum_ = strategy.step, distributed.sum_
        in_sums = 0.0

        def timed_sum(tensor: Tensor) -> Tensor:
            nonlocal in_sums
            start = time.perf_counter()
            result = sum_(tensor)
            in_sums += time.perf_counter() - start
            return result

        def timed_step(update: UpdateStrategy, batch: Any) -> ErrorSums:
            nonlocal in_sums
            result = step(update, batch)
            self.ends.append(time.perf_counter())
            self.summing.append(in_sums)
            in_sums = 0.0
            return result

        strategy.step = timed_step  # type: ignore[method-assign]
        distributed.sum_ = timed_sum  # type: ignore[assignment]


def child(path: Path, n_warm: int) -> None:
    """Train in one of several processes; the first one writes its times to PATH.times."""
    config = load_config(path)
    clock = Clock(OPTIMIZERS[config.optimizer.optimizer])
    with distributed.session():
        train_from_config(config, fresh=True, console=Console(quiet=True))
        if distributed.is_first():
            kept = clock.ends[n_warm:]
            steps = [later - earlier for earlier, later in zip(kept, kept[1:])]  # noqa: B905 (one is shorter)
            path.with_suffix(".times").write_text(json.dumps([steps, clock.summing[n_warm + 1 :]]))


def measure(options: argparse.Namespace, folder: Path) -> dict[int, list[list[float]]]:
    """Return, by number of processes, the times of steps and of the sums in them, of all rounds."""
    n_frames = len(read_frames(options.data))
    times: dict[int, list[list[float]]] = {n: [[], []] for n in options.processes}
    for number in range(options.rounds):
        for n, lists in times.items():
            path = folder / f"run{n}.json"
            path.write_text(json.dumps(run_config(options, n_frames, str(folder / f"run{n}"))))
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", n]
            command = [sys.executable, *launcher, HERE, "--child", path, "--warm", options.warm]
            run_child(command, thread_environment(1), folder)
            for kept, new in zip(lists, json.loads(path.with_suffix(".times").read_text()), strict=True):
                kept += new
            say(f"round {number + 1}, {n} processes: {1e3 * Spread.of(lists[0]).median:.1f} ms")
    return times


def deviation(folder: Path, n: int, reference: int) -> float:
    """Return the largest difference of weights, relative to the largest weight of the same tensor."""
    one, other = (load_potential(folder / f"run{m}" / "dp_model.ckpt").state_dict() for m in (reference, n))
    worst = torch.stack(
        [(value - other[name]).abs().max() / value.abs().max().clamp(min=1e-300) for name, value in one.items()]
    )
    return float(worst.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--optimizer", default="ADAM")
    parser.add_argument("--batch-size", type=int, default=8, help="of all processes together")
    parser.add_argument("--data", type=Path, nargs="+", default=[SHIPPED])
    parser.add_argument("--elements", nargs="+", default=["Li"])
    parser.add_argument("--embedding", type=int, nargs="+", default=[25, 50, 100], help="widths of the embedding net")
    parser.add_argument("--fitting", type=int, nargs="+", default=[100, 100, 100], help="widths of the fitting net")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=60, help="of each run")
    parser.add_argument("--warm", type=int, default=20, help="first steps that are not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.warm)
        return
    pin_to_cores(max(options.processes))
    say(describe_machine())
    with tempfile.TemporaryDirectory(prefix="pwmlff-scaling-") as name:
        folder = Path(name)
        times = measure(options, folder)
        first = options.processes[0]
        base = Spread.of(times[first][0]).median
        rows = []
        for n, (steps, sums) in times.items():
            spread, gain = Spread.of([1e3 * s for s in steps]), base / Spread.of(steps).median
            figures = [spread.median, spread.p10, spread.p90, 1e3 * Spread.of(sums).median]
            shown = [f"{value:.1f}" for value in figures]
            rows.append(
                [str(n), *shown, f"{gain:.2f}", f"{gain * first / n:.2f}", f"{deviation(folder, n, first):.0e}"]
            )
    title = f"{options.optimizer} step, batch {options.batch_size} in all, 1 thread per process, "
    title += f"{options.rounds} rounds in turns"
    columns = ["processes", "median ms", "p10", "p90", "in sums ms", "speed-up", "efficiency", "weights differ"]
    print_table(title, columns, rows, [describe_machine()])


if __name__ == "__main__":
    main()
