"""Time of a Kalman update of one block beside the straightforward torch form, and beside what memory alone would take.

    python tests/benchmarks/kalman_update.py [--block 10240] [--threads 1] [--rounds 9] [--ranks 1 8 32]

One update of rank k: `K = P H`, then `P <- (P - K S^-1 K^T) / lambda`. The torch form does it on the whole matrix, with
`P @ H`, an outer product, a difference and a scaling. Ours reads and writes half of P once: the change that the last
measurement left is made on the way to the next one's `P H`, and the scaling is a number kept apart. The least time is
that of reading and writing these bytes at the bandwidth measured in the same run (a scaling of an array in place).
All contenders take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from bench_tools import Spread, describe_machine, pin_to_cores, print_table, say
from torch import Tensor

from pwmlff.ops import kalman_sweep
from pwmlff.ops.reference import KALMAN_TILE

FORGETTING = 0.98


def straightforward(matrix: Tensor, directions: Tensor) -> None:
    """Update the dense P as PWMLFF writes it."""
    gains = matrix @ directions
    innovation = torch.eye(directions.shape[1], dtype=matrix.dtype) + directions.T @ gains
    matrix.sub_(gains @ torch.linalg.solve(innovation, gains.T)).mul_(1.0 / FORGETTING)


class Ours:
    """The same with the pending change carried over."""

    def __init__(self, n: int, rank: int, dtype: torch.dtype) -> None:
        n_rows = -(-n // KALMAN_TILE)
        self.tiles = torch.zeros(n_rows * (n_rows + 1) // 2, KALMAN_TILE, KALMAN_TILE, dtype=dtype)
        diagonal = torch.arange(1, n_rows + 1).cumsum(0) - 1
        self.tiles[diagonal] = torch.eye(KALMAN_TILE, dtype=dtype)
        self.pending = torch.zeros(n, rank, dtype=dtype)
        self.scale = 1.0

    def __call__(self, directions: Tensor) -> None:
        products = kalman_sweep([self.tiles], [0, len(directions)], self.pending, directions)
        innovation = torch.eye(directions.shape[1], dtype=products.dtype) + self.scale * directions.T @ products
        root = torch.linalg.cholesky(innovation)
        self.pending = self.scale**0.5 * torch.linalg.solve_triangular(root, products.T, upper=False).T
        self.scale /= FORGETTING


def seconds(work: Callable[[], None]) -> float:
    """Return the time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(n: int, rank: int, dtype: torch.dtype, rounds: int) -> tuple[Spread, Spread, float, float]:
    """Return the times of both forms, and the least time and the bandwidth of the same rounds."""
    directions = torch.randn(n, rank, dtype=dtype) / n**0.5
    matrix, ours = torch.eye(n, dtype=dtype), Ours(n, rank, dtype)
    array = torch.ones(ours.tiles.numel(), dtype=dtype)
    times: list[list[float]] = [[], [], []]
    for turn in range(rounds + 1):
        latest = [
            seconds(lambda: straightforward(matrix, directions)),
            seconds(lambda: ours(directions)),
            seconds(lambda: array.mul_(1.0)),
        ]
        if turn > 0:  # the first round fetches pages
            for kept, value in zip(times, latest, strict=True):
                kept.append(value)
    n_bytes = 2 * array.numel() * array.element_size()
    return Spread.of(times[0]), Spread.of(times[1]), Spread.of(times[2]).median, n_bytes / min(times[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--block", type=int, default=10240)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 8, 32])
    options = parser.parse_args()
    pin_to_cores(options.threads)
    torch.set_num_threads(options.threads)
    say(describe_machine())
    rows = []
    for dtype in (torch.float64, torch.float32):
        for rank in options.ranks:
            torch_form, ours, least, bandwidth = measure(options.block, rank, dtype, options.rounds)
            rows.append(
                [
                    f"{str(dtype).removeprefix('torch.')}, rank {rank}",
                    *(f"{1e3 * value:.1f}" for value in (torch_form.median, ours.median, ours.p10, ours.p90)),
                    f"{torch_form.median / ours.median:.1f}",
                    f"{1e3 * least:.1f}",
                    f"{ours.median / least:.2f}",
                    f"{bandwidth / 1e9:.1f}",
                ]
            )
    columns = ["", "torch ms", "ours ms", "p10", "p90", "torch / ours", "memory ms", "ours / memory", "GB/s"]
    title = f"Kalman update, block {options.block}, {options.threads} threads, {options.rounds} rounds in turns"
    print_table(title, columns, rows, [describe_machine()])


if __name__ == "__main__":
    main()
