"""What a step of Muon costs: all matrices of a shape at once, beside `torch.optim.Muon`.

    python tests/benchmarks/muon_step.py [--threads 1]

The matrices are those of two Deep Potentials: a small one of two elements, and one of one element with networks of
25, 50, 100 and 240, 240, 240, which has a wide matrix. Besides the times, taken in turns, the table has the part of the
speed of a large float32 product of matrices that the flops of the iterations come to.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from bench_tools import describe_machine, print_table

from pwmlff.optim.muon import WIDE, Muon

SHAPES = {
    "small, two elements": [(25, 25)] * 8 + [(50, 400)] * 2 + [(50, 50)] * 4,
    "large, one element": [(50, 25), (100, 50), (240, 1600), (240, 240), (240, 240)],
}
ITERATIONS = 5
TURNS = 30


def work(shapes: list[tuple[int, int]], *, squares: bool) -> int:
    """Return the multiplications and additions of a step, with wide matrices by their squares or not."""
    total = 0
    for shape in shapes:
        rows, columns = min(shape), max(shape)
        if squares and columns > WIDE * rows:
            total += 2 * (2 * rows**2 * columns + ITERATIONS * 4 * rows**3)
        else:
            total += 2 * ITERATIONS * (2 * rows**2 * columns + rows**3)
    return total


def milliseconds(function: Callable[[], object]) -> float:
    """Return the time of a call on the clock."""
    started = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    square = torch.randn(1024, 1024)
    rows = []
    for network, shapes in SHAPES.items():
        weights = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        calls: dict[str, Callable[[], object]] = {
            "ours, float32": Muon(weights, rate=1e-2, weight_decay=0.0).step,
            "torch.optim.Muon, bfloat16": torch.optim.Muon(weights, lr=1e-2, weight_decay=0.0).step,
            "product": lambda: square @ square,
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(TURNS):
            for name, call in calls.items():
                times[name].append(milliseconds(call))
        medians = {name: statistics.median(values) for name, values in times.items()}
        peak = 2 * 1024**3 / medians.pop("product")  # per ms
        for name, median in medians.items():
            part = work(shapes, squares=name.startswith("ours")) / median / peak
            rows.append([network, name, f"{median:.2f}", f"{part:.2f}"])
    print_table("A step of Muon", ["network", "", "ms", "of a large product"], rows, [describe_machine()])


if __name__ == "__main__":
    main()
