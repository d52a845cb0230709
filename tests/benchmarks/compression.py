"""Error, size and time of tables against their grid spacing.

    python tests/benchmarks/compression.py MODEL.ckpt DATA... [--frames 20] [--output compression.png]

Tabulates a trained Deep Potential with cubic and quintic polynomials on grids of falling spacing and compares with the
model itself, all in float64, on frames of the data, whose labels are not used. Sizes are those of all tables, "fine"
is the part on the range seen in training, which should stay in the cache. The time is that of energy and forces with
given neighbours, all models in turns.

The error of the features falls as dx^(order + 1) and so does that of the energy; forces hold a derivative, dx^order.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from bench_tools import Spread, describe_machine, print_table, say

from pwmlff.compress import tabulate
from pwmlff.compress.deviations import Deviations, compare
from pwmlff.data.batch import Batch
from pwmlff.data.dataset import FrameDataset, iterate_batches
from pwmlff.data.frame import Frame
from pwmlff.data.readers import read_frames
from pwmlff.export.precision import in_precision
from pwmlff.models import Potential
from pwmlff.models.dp.base import DeepPotentialBase
from pwmlff.models.dp.compressed import CompressedDeepPotential
from pwmlff.models.files.checkpoint import load_potential
from pwmlff.models.tables import Order
from pwmlff.plots.style import COLORS, plot_style, save_figure

ORDERS: tuple[Order, ...] = (3, 5)
SPACINGS = np.geomspace(0.1, 0.001, 9)
COLUMNS = [
    "",
    "dx",
    "force max eV/Å",
    "force RMS eV/Å",
    "energy max eV/atom",
    "virial max eV/atom",
    "tables MB",
    "fine MB",
    "µs/atom",
]


@dataclass
class Point:
    """One table: how far it is from the model it was made from, and its cost."""

    order: int
    dx: float
    potential: Potential
    n_bytes: int
    n_fine_bytes: int
    deviations: Deviations
    times: list[float] = field(default_factory=list)  # µs/atom

    @classmethod
    def of(cls, potential: Potential, order: Order, dx: float, frames: Sequence[Frame]) -> Point:
        """Tabulate a potential and compare."""
        compressed = tabulate(potential, dx, order)
        network = compressed.network
        if not isinstance(network, CompressedDeepPotential):
            raise SystemExit(f"tabulate made a {type(network).__name__}, expected tables")
        tables = list(network.tables)
        return cls(
            order=order,
            dx=dx,
            potential=compressed.frozen(),
            n_bytes=sum(table.coefficients.nbytes for table in tables),
            n_fine_bytes=sum(table.coefficients[: table.grid.fine].nbytes for table in tables),
            deviations=compare(potential, compressed, frames),
        )

    def row(self) -> list[str]:
        forces, energy, virial = self.deviations.forces, self.deviations.energy, self.deviations.virial
        errors = [forces.max_absolute, forces.rmse, energy.max_absolute, virial.max_absolute]
        return [
            f"order {self.order}",
            f"{self.dx:.4f}",
            *(f"{error:.1e}" for error in errors),
            f"{self.n_bytes / 1e6:.2f}",
            f"{self.n_fine_bytes / 1e6:.2f}",
            f"{Spread.of(self.times).median:.1f}",
        ]


def time_in_turns(models: Sequence[Potential], times: Sequence[list[float]], batch: Batch, rounds: int) -> None:
    """Evaluate the batch with each model in every round, and add the times, µs/atom."""
    for model in models:  # the first call prepares weights
        model.energies_and_gradients(*batch.pairs)
    for _ in range(rounds):
        for model, kept in zip(models, times, strict=True):
            start = time.perf_counter()
            model.energies_and_gradients(*batch.pairs)
            kept.append(1e6 * (time.perf_counter() - start) / len(batch.atom_types))


def describe_range(potential: Potential, batch: Batch) -> str:
    """Say how many pairs lie outside the range seen in training, where intervals are ten times as wide."""
    network = potential.network
    if not isinstance(network, DeepPotentialBase):
        raise SystemExit(f"a {type(network).__name__} has no embedding nets to tabulate")
    centers = batch.atom_types[batch.pair_centers]
    n_near = int((batch.pair_vectors.norm(dim=-1) < network.environment.shortest[centers]).sum())
    return f"{n_near} of {len(centers)} pairs, on the coarse intervals, are nearer than any in the training data"


def draw(points: Sequence[Point], path: Path) -> None:
    """Draw the errors of the forces against the spacing, with the slopes that theory gives."""
    from matplotlib.figure import Figure

    with plot_style():
        figure = Figure(figsize=(5.6, 4.8), layout="constrained")
        axes = figure.subplots()
        for order, color in zip(ORDERS, COLORS, strict=False):
            line = [point for point in points if point.order == order]
            dx = np.array([point.dx for point in line])
            largest = np.array([point.deviations.forces.max_absolute for point in line])
            name = {3: "cubic", 5: "quintic"}[order]
            axes.loglog(dx, largest, "o-", color=color, markersize=4, label=f"{name}, largest")
            rms = [point.deviations.forces.rmse for point in line]
            axes.loglog(dx, rms, "s--", color=color, markersize=3, linewidth=1.0, label=f"{name}, RMS")
            # through the second point: before it the grid is too coarse for the law, far after it rounding rules
            anchor = min(1, len(dx) - 1)
            slope = largest[anchor] * (dx / dx[anchor]) ** order
            seen = slope > largest.min() / 3
            axes.loglog(dx[seen], slope[seen], ":", color="#777777", linewidth=1.2, label=f"dx$^{order}$")
        axes.set(xlabel="grid spacing dx", ylabel="force error (eV/Å)")
        axes.set_title("tables against the model they were made from", loc="left")
        figure.legend(loc="outside lower center", ncols=2)
        save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="checkpoint of a trained, uncompressed Deep Potential")
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--format", help="of the data; guessed from the content by default")
    parser.add_argument("--frames", type=int, default=20, help="at most, evenly taken from the data")
    parser.add_argument("--dx", type=float, nargs="+", default=SPACINGS.tolist())
    parser.add_argument("--rounds", type=int, default=5, help="of the timing")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="PNG to draw")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    potential = in_precision(load_potential(options.model), "float64")  # else rounding hides the error of a table
    frames = read_frames(options.data, format=options.format)
    frames = [frames[index] for index in np.unique(np.linspace(0, len(frames) - 1, options.frames).astype(int))]
    say(describe_machine())
    points = [Point.of(potential, order, dx, frames) for order in ORDERS for dx in options.dx]
    batch = next(iterate_batches(FrameDataset(frames, potential.elements, potential.cutoff), len(frames)))
    exact_times: list[float] = []
    models = [potential.frozen(), *(point.potential for point in points)]
    time_in_turns(models, [exact_times, *(point.times for point in points)], batch, options.rounds)
    uncompressed = ["uncompressed", *["-"] * (len(COLUMNS) - 2), f"{Spread.of(exact_times).median:.1f}"]
    notes = [describe_range(potential, batch), describe_machine()]
    title = f"{options.model.name} on {len(frames)} frames, {options.rounds} rounds in turns, {options.threads} threads"
    print_table(title, COLUMNS, [uncompressed, *(point.row() for point in points)], notes)
    if options.output:
        draw(points, options.output)


if __name__ == "__main__":
    main()
