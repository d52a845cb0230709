"""Tables and pictures of the study: means over the seeds, with the standard deviation where there are several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from cells import MODELS, OPTIMIZERS, SIZES, Run
from numpy.typing import NDArray
from rich.table import Table
from runs import ENERGY, EPOCH, FORCE, TIME

mpl.use("Agg")
import matplotlib.pyplot as plt

from pwmlff.plots.style import label_in_plain_numbers

Curves = Mapping[Run, NDArray[np.float64]]
NEAR = 1.25  # both errors below this times those of the best count as good enough
ERRORS = ((ENERGY, "energy, meV/atom", 1e3, ".3f"), (FORCE, "force, eV/Å", 1.0, ".4f"))
COLORS = dict(zip(OPTIMIZERS, mpl.color_sequences["tab10"], strict=False))


def all_tables(curves: Curves, reference: str) -> list[Table]:
    """Return the paper's Tables 3, 4 and 6, one with all there is of every cell, and what to take.

    The fourth has how much earlier the others have the best errors of the reference, an optimizer.
    """
    tables = []
    for number, (column, quantity, factor, form) in zip((3, 4), ERRORS, strict=True):
        title = f"Table {number}: {quantity}, on unseen frames after the last epoch"
        tables.append(_errors(title, curves, tuple(MODELS), [(column, "", factor, form)]))
    if sum(any(run.model == size for run in curves) for size in SIZES) > 1:
        columns = [(column, f" {quantity}", factor, form) for column, quantity, factor, form in ERRORS]
        tables.append(_errors("Table 6: sizes of Deep Potentials", curves, SIZES, columns))
    return [*tables, _everything(curves, reference), _choice(curves)]


def _errors(title: str, curves: Curves, models: tuple[str, ...], columns: list[tuple[int, str, float, str]]) -> Table:
    there = [model for model in models if any(run.model == model for run in curves)]
    table = Table(title=title)
    for name in ("set", "optimizer"):
        table.add_column(name)
    for model in there:
        for _, quantity, _, _ in columns:
            table.add_column(model + quantity, justify="right")
    for data, optimizer in dict.fromkeys((run.data.name, run.optimizer) for run in curves):
        cells = []
        for model in there:
            seeds = _seeds(curves, data, model, optimizer)
            for column, _, factor, form in columns:
                cells.append(spread([factor * curve[-1, column] for curve in seeds.values()], form))
        table.add_row(data, optimizer, *cells)
    return table


def _everything(curves: Curves, reference: str) -> Table:
    table = Table(
        title=f"Errors, work of the processor, and how much earlier than {reference} its best errors are reached"
    )
    for name in ("set", "model", "optimizer"):
        table.add_column(name)
    for name in ("seeds", "epochs", "s/epoch", "min", *(quantity for _, quantity, _, _ in ERRORS)):
        table.add_column(name, justify="right")
    for name in ("energy earlier", "force earlier"):
        table.add_column(name, justify="right")
    for data, model, optimizer in dict.fromkeys((run.data.name, run.model, run.optimizer) for run in curves):
        seeds = _seeds(curves, data, model, optimizer)
        others = _seeds(curves, data, model, reference)
        lengths = sorted({len(curve) for curve in seeds.values()})
        table.add_row(
            data,
            model,
            optimizer,
            str(len(seeds)),
            str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}",
            f"{np.mean([np.median(curve[:, TIME]) for curve in seeds.values()]):.2f}",
            f"{np.mean([curve[:, TIME].sum() for curve in seeds.values()]) / 60:.1f}",
            *(spread([factor * curve[-1, k] for curve in seeds.values()], form) for k, _, factor, form in ERRORS),
            *("" if optimizer == reference else _earlier(seeds, others, column) for column in (ENERGY, FORCE)),
        )
    return table


def markdown(table: Table) -> str:
    """Return a table, and its title above it, as Markdown."""
    rows = zip(*([str(column.header), *map(str, column.cells)] for column in table.columns), strict=True)
    head, *lines = (f"| {' | '.join(cells)} |" for cells in rows)
    rule = "".join("|---:" if column.justify == "right" else "|---" for column in table.columns) + "|"
    return "\n".join([f"{table.title}", "", head, rule, *lines]) + "\n"


def _earlier(ours: dict[int, NDArray[np.float64]], theirs: dict[int, NDArray[np.float64]], column: int) -> str:
    """Return how many times as early the runs of the same seeds had the best errors of the others."""
    pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    if not pairs:
        return "-"
    ratios = [ratio for ratio in (_ratio(curve, other, column) for curve, other in pairs) if ratio is not None]
    part = "" if len(ratios) == len(pairs) else f" ({len(ratios)} of {len(pairs)})"
    return (spread(ratios, ".1f") + part) if ratios else "never"


def _ratio(curve: NDArray[np.float64], other: NDArray[np.float64], column: int) -> float | None:
    best = float(other[:, column].min())
    mine, its = reached(curve, column, best), reached(other, column, best)
    return None if mine is None or its is None else its / mine


def _choice(curves: Curves) -> Table:
    table = Table(title=f"What to take: the least product of both errors; who is first within {NEAR} times both")
    for name in ("set", "model", "most accurate"):
        table.add_column(name)
    for name in ("min", *(quantity for _, quantity, _, _ in ERRORS)):
        table.add_column(name, justify="right")
    table.add_column("soonest near it")
    table.add_column("after min", justify="right")
    for data, model in dict.fromkeys((run.data.name, run.model) for run in curves):
        cells = {name: list(_seeds(curves, data, model, name).values()) for name in OPTIMIZERS}
        cells = {name: seeds for name, seeds in cells.items() if seeds}
        best = min(cells, key=lambda name: float(np.prod(_last(cells[name]))))
        least = _last(cells[best])
        soon = {name: _near(seeds, NEAR * least) for name, seeds in cells.items()}
        soonest = min(soon, key=lambda name: soon[name])
        errors = (f"{factor * error:{form}}" for error, (_, _, factor, form) in zip(least, ERRORS, strict=True))
        minutes = np.mean([curve[:, TIME].sum() for curve in cells[best]]) / 60
        near = (soonest, f"{soon[soonest] / 60:.2f}") if np.isfinite(soon[soonest]) else ("-", "-")
        table.add_row(data, model, best, f"{minutes:.1f}", *errors, *near)
    return table


def _last(seeds: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the errors of energies and forces after the last epoch, means over the seeds; infinite if one diverged."""
    errors = np.mean([curve[-1, [ENERGY, FORCE]] for curve in seeds], axis=0)
    return np.where(np.isfinite(errors).all(), errors, np.inf)


def _near(seeds: Sequence[NDArray[np.float64]], errors: NDArray[np.float64]) -> float:
    """Return the mean time in s after which both errors are at or below these; infinite if a seed never has them."""
    times = []
    for curve in seeds:
        below = np.flatnonzero((curve[:, [ENERGY, FORCE]] <= errors).all(axis=1))
        times.append(curve[: below[0] + 1, TIME].sum() if len(below) else np.inf)
    return float(np.mean(times))


def reached(curve: NDArray[np.float64], column: int, value: float) -> float | None:
    """Return the time in s after which a curve is at or below a value, or None."""
    below = np.flatnonzero(curve[:, column] <= value)
    return float(curve[: below[0] + 1, TIME].sum()) if len(below) else None


def spread(values: Sequence[float], form: str) -> str:
    """Return the mean with the standard deviation of several values."""
    if not values:
        return "-"
    mean = f"{np.mean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):{form}}"


def draw(name: str, curves: Curves, folder: Path) -> None:
    """Draw the errors of a set over epochs and over time, a panel for each model, a line or a point for each seed."""
    of_set = {run: curve for run, curve in curves.items() if run.data.name == name}
    models = [model for model in MODELS if any(run.model == model for run in of_set)]
    for over, label in (("epochs", "epoch"), ("time", "processor time, min")):
        size = (3.2 * len(models) + 2.0, 6.0)
        figure, axes = plt.subplots(2, len(models), figsize=size, sharey="row", squeeze=False, layout="constrained")
        for run, curve in of_set.items():
            x = curve[:, EPOCH] if over == "epochs" else curve[:, TIME].cumsum() / 60
            for axis, (column, _, factor, _) in zip(axes[:, models.index(run.model)], ERRORS, strict=True):
                color, marker = COLORS[run.optimizer], "." if len(curve) == 1 else ""
                axis.loglog(x, factor * curve[:, column], color=color, marker=marker, alpha=0.7, linewidth=1.0)
        for column, model in enumerate(models):
            axes[0, column].set_title(model)
            axes[1, column].set_xlabel(label)
        for row, (_, quantity, _, _) in enumerate(ERRORS):
            axes[row, 0].set_ylabel(quantity)
        for axis in axes.flat:
            axis.grid(alpha=0.3)
            label_in_plain_numbers(axis.xaxis)
            label_in_plain_numbers(axis.yaxis)
        shown = [optimizer for optimizer in OPTIMIZERS if any(run.optimizer == optimizer for run in of_set)]
        handles = [plt.Line2D([], [], color=COLORS[optimizer]) for optimizer in shown]
        figure.legend(handles, shown, loc="outside right upper")
        figure.suptitle(f"{name}: errors on unseen frames", x=0.02, ha="left")
        figure.savefig(folder / f"{name}-{over}.png", dpi=120)
        plt.close(figure)


def _seeds(curves: Curves, data: str, model: str, optimizer: str) -> dict[int, NDArray[np.float64]]:
    """Return the curves of a cell by their seeds."""
    key = (data, model, optimizer)
    return {run.seed: curve for run, curve in curves.items() if (run.data.name, run.model, run.optimizer) == key}
