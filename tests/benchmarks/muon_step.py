"""What a step of Muon costs: all matrices of a shape at once, beside `torch.optim.Muon`.

    python tests/benchmarks/muon_step.py [--threads 1]

The matrices are those of a small Deep Potential of two elements. Besides the times, taken in turns, the table has the
part of the speed of a large float32 product of matrices that the flops of the iterations come to.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from bench_tools import describe_machine, print_table

from pwmlff.optim.muon import Muon

SHAPES = [(25, 25)] * 8 + [(50, 400)] * 2 + [(50, 50)] * 4
ITERATIONS = 5
TURNS = 30


def work() -> int:
    """Return the multiplications and additions of a step."""
    return sum(2 * ITERATIONS * (2 * min(s) ** 2 * max(s) + min(s) ** 3) for s in SHAPES)


def milliseconds(function: Callable[[], object]) -> float:
    """Return the time of a call on the clock."""
    started = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    weights = [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    square = torch.randn(1024, 1024)
    optimizers = {
        "all of a shape at once, float32": Muon(weights, rate=1e-2, weight_decay=0.0),
        "torch.optim.Muon, bfloat16": torch.optim.Muon(weights, lr=1e-2, weight_decay=0.0),
    }
    calls: dict[str, Callable[[], object]] = {name: optimizer.step for name, optimizer in optimizers.items()}
    calls["product"] = lambda: square @ square
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(TURNS):
        for name, call in calls.items():
            times[name].append(milliseconds(call))
    medians = {name: statistics.median(values) for name, values in times.items()}
    peak = 2 * 1024**3 / medians["product"]  # per ms
    rows = [[name, f"{medians[name]:.2f}", f"{work() / medians[name] / peak:.2f}"] for name in optimizers]
    print_table("A step of Muon", ["", "ms", "of a large product"], rows, [describe_machine()])


if __name__ == "__main__":
    main()
